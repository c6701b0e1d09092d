//! The learning rate's run_loop.

use framework_recipe::Schedule;

/// The factor on the learning rate of step `step`, counted from 0, of `total`: it rises in a line over the warm-up,
/// then follows the schedule. The first step of a warm-up has the rate 0, as in transformers.
pub fn factor(schedule: Schedule, step: u64, warmup: u64, total: u64) -> f64 {
    if step < warmup {
        return step as f64 / warmup as f64;
    }
    let progress = (step - warmup) as f64 / total.saturating_sub(warmup).max(1) as f64;
    match schedule {
        Schedule::Constant => 1.0,
        Schedule::Linear => (1.0 - progress).max(0.0),
        Schedule::Cosine => (0.5 * (1.0 + (std::f64::consts::PI * progress).cos())).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of transformers' get_*_schedule_with_warmup for 4 warm-up steps of 12.
    #[test]
    fn equal_to_transformers() {
        let at = |schedule, step| (factor(schedule, step, 4, 12) * 1e6).round() / 1e6;
        assert_eq!([0, 1, 3, 4, 8, 11].map(|s| at(Schedule::Linear, s)), [0.0, 0.25, 0.75, 1.0, 0.5, 0.125]);
        assert_eq!([2, 4, 8, 11].map(|s| at(Schedule::Cosine, s)), [0.5, 1.0, 0.5, 0.03806]);
        assert_eq!([2, 4, 11].map(|s| at(Schedule::Constant, s)), [0.5, 1.0, 1.0]);
    }

    #[test]
    fn nothing_divides_by_zero() {
        assert_eq!(factor(Schedule::Linear, 0, 0, 0), 1.0);
        assert_eq!(factor(Schedule::Cosine, 5, 5, 5), 1.0);
    }
}

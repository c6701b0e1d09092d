//! From numbers to places, with ticks at round numbers.

/// A linear scale.
pub struct Scale {
    low: f64,
    high: f64,
    step: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale for these numbers, with about `ticks` ticks, between the places `from` and `to`. It begins and ends at a
    /// tick.
    pub fn of(numbers: &[f64], ticks: usize, from: f64, to: f64) -> Self {
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match () {
            () if low > high || low == 0.0 && high == 0.0 => (0.0, 1.0),
            // One value: some room on both sides, so that it lies in the middle.
            () if low == high => (low - (low.abs() * 0.5).max(1e-12), high + (high.abs() * 0.5).max(1e-12)),
            () => (low, high),
        };
        let step = round_step((high - low) / ticks as f64);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step, from, to }
    }

    /// The place of a number.
    pub fn at(&self, number: f64) -> f64 {
        self.from + (number - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// The ticks with their labels.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        let tick = |i: usize| {
            let value = (self.low / self.step + i as f64).round() * self.step;
            (value, labelled(value, self.step))
        };
        (0..=count).map(tick).collect()
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not less.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|round| *round >= step * 0.999).unwrap_or(step)
}

/// A tick's number, with as many digits as the step has.
fn labelled(value: f64, step: f64) -> String {
    let size = value.abs().max(step);
    if value == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e6).contains(&size) {
        return short(value);
    }
    let digits = (-step.log10().floor()).max(0.0) as usize;
    match size >= 1e4 && step >= 100.0 {
        true => format!("{:.*}k", usize::from(step < 1000.0), value / 1000.0),
        false => format!("{value:.digits$}"),
    }
}

/// A number in few characters: `1.5e-4`, `12345`, `0.123`.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || value.fract() == 0.0 && size < 1e6 {
        return format!("{value:.0}");
    }
    let text = if (1e-3..1e6).contains(&size) { format!("{value:.4}") } else { format!("{value:.2e}") };
    match text.split_once('e') {
        Some((digits, power)) => format!("{}e{power}", trimmed(digits)),
        None => trimmed(&text).to_owned(),
    }
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(numbers: &[f64], ticks: usize) -> Vec<String> {
        Scale::of(numbers, ticks, 0.0, 1.0).ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_hold_all_numbers() {
        assert_eq!(labels(&[0.2, 3.9], 5), ["0", "1", "2", "3", "4"]);
        assert_eq!(labels(&[1.23, 1.31], 5), ["1.22", "1.24", "1.26", "1.28", "1.30", "1.32"]);
        assert_eq!(labels(&[0.0, 2e-4], 5), ["0", "5e-5", "1e-4", "1.5e-4", "2e-4"]);
        assert_eq!(labels(&[5.0, 60_000.0], 3), ["0", "20k", "40k", "60k"]);
        assert_eq!(labels(&[-2.0, 1.0], 3), ["-2", "-1", "0", "1"]);
        assert_eq!(labels(&[], 2).len(), 3);
        let one = Scale::of(&[7.0], 5, 0.0, 100.0);
        assert!((one.at(7.0) - 50.0).abs() < 10.0);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([1.5e-4, 12345.0, 0.12345, 0.0, 2.5e7].map(short), ["1.5e-4", "12345", "0.1235", "0", "2.5e7"]);
    }
}

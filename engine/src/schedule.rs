//! The learning rate of each step: the formulas of transformers' `get_*_schedule` functions.

use framework_base::{Error, Problem, Result};
use framework_recipe::{Schedule, Train};
use std::f64::consts::PI;

/// transformers' `lr_end` of its polynomial schedule.
const POLYNOMIAL_END: f64 = 1e-7;
/// transformers' `timescale` of its inverse square root, where there is no warm-up.
const TIMESCALE: u64 = 10_000;

/// The factor on the learning rate by step. It rises linearly over the warm-up, then follows the schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    schedule: Schedule,
    warmup: u64,
    total: u64,
    power: f64,
    /// What the factor falls to.
    end: f64,
    cycles: f64,
    timescale: f64,
}

impl Curve {
    /// The schedule of a run of `total` steps whose optimizer has this learning rate.
    ///
    /// # Errors
    /// `train.schedule_end` is not below the learning rate.
    pub fn new(train: &Train, learning_rate: f64, total: u64) -> Result<Self> {
        let warmup = train.warmup(total);
        let end = match (train.schedule, train.schedule_end) {
            (Schedule::Polynomial | Schedule::Cosine, Some(end)) if end >= learning_rate => {
                let message = format!("{end} is not below the learning rate that it is the end of, {learning_rate}");
                let help = "lower it, or raise optimizer.learning_rate";
                return Err(Error::invalid(Problem::new(message).key("train.schedule_end").help(help)));
            }
            (Schedule::Polynomial, None) => POLYNOMIAL_END.min(learning_rate),
            (_, end) => end.unwrap_or(0.0),
        };
        Ok(Self {
            schedule: train.schedule,
            warmup,
            total,
            power: train.schedule_power.unwrap_or(1.0),
            end: end / learning_rate,
            cycles: train.schedule_cycles.unwrap_or(1) as f64,
            timescale: train.schedule_timescale.unwrap_or(if warmup > 0 { warmup } else { TIMESCALE }) as f64,
        })
    }

    /// The factor of a step, counted from 0. The first step of a warm-up has the factor 0, as in transformers.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warmup {
            return step as f64 / self.warmup as f64;
        }
        let since = (step - self.warmup) as f64;
        let span = self.total.saturating_sub(self.warmup).max(1) as f64;
        let progress = since / span;
        let cosine = |turns: f64| 0.5 * (1.0 + (PI * turns).cos());
        match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Linear => self.total.saturating_sub(step) as f64 / span,
            Schedule::Cosine => (cosine(progress) * (1.0 - self.end) + self.end).max(0.0),
            Schedule::CosineRestarts if progress >= 1.0 => 0.0,
            Schedule::CosineRestarts => cosine((self.cycles * progress) % 1.0),
            Schedule::Polynomial => (1.0 - self.end) * (1.0 - progress).max(0.0).powf(self.power) + self.end,
            Schedule::InverseSqrt => (since / self.timescale + 1.0).sqrt().recip(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Every step of every case of `tests/golden/schedules.json`, which transformers' functions have written.
    #[test]
    fn equal_to_transformers_at_every_step() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/golden/schedules.json")).unwrap();
        for case in &cases {
            let train: Train = serde_json::from_value(case["train"].clone()).unwrap();
            let number = |key: &str| case[key].as_f64().unwrap();
            let (rate, total) = (number("learning_rate"), number("total") as u64);
            let curve = Curve::new(&train, rate, total).unwrap();
            let expected = case["rates"].as_array().unwrap();
            assert!(expected.len() as u64 > total);
            for (step, expected) in expected.iter().enumerate() {
                let (found, expected) = (rate * curve.factor(step as u64), expected.as_f64().unwrap());
                assert!(
                    (found - expected).abs() <= 1e-7 * rate,
                    "{}, step {step}: {found}, not {expected}",
                    case["train"]
                );
            }
        }
        let has = |schedule: &str| cases.iter().filter(|case| case["train"]["schedule"] == schedule).count() > 1;
        let all = ["constant", "linear", "cosine", "cosine-restarts", "polynomial", "inverse-sqrt"];
        assert!(all.into_iter().all(has));
    }

    #[test]
    fn nothing_divides_by_zero() {
        let factor = |schedule, step, total| {
            Curve::new(&Train { schedule, ..Train::default() }, 1e-3, total).unwrap().factor(step)
        };
        assert_eq!(factor(Schedule::Linear, 0, 0), 0.0);
        assert_eq!(factor(Schedule::Cosine, 0, 0), 1.0);
        assert_eq!(factor(Schedule::CosineRestarts, 3, 3), 0.0);
        assert!((factor(Schedule::Polynomial, 9, 3) - 1e-4).abs() < 1e-12);
    }

    #[test]
    fn an_end_above_the_beginning_is_refused() {
        let train = |schedule| Train { schedule, schedule_end: Some(1e-3), ..Train::default() };
        let e = Curve::new(&train(Schedule::Polynomial), 1e-3, 9).unwrap_err().to_string();
        assert!(e.starts_with("`train.schedule_end`: 0.001 is not below"), "{e}");
        // Other schedules do not use it, which is told elsewhere.
        assert!(Curve::new(&train(Schedule::Linear), 1e-3, 9).is_ok());
    }
}

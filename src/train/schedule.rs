//! How the learning rate changes over a run.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate changes over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays.
    #[default]
    Constant,
    /// It falls to 0 along half a cosine: slowly at first and at the end, and by half in the middle.
    ///
    /// # Source
    /// Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017, without
    /// restarts.
    Cosine,
}

impl Schedule {
    /// What the learning rate of step `step` (from 0) out of `total_steps` is multiplied by, in
    /// `[0, 1]`. It follows from the step alone, so that a run that goes on needs nothing kept.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of steps
    pub fn factor(self, step: usize, total_steps: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine => {
                let done = step.min(total_steps) as f64 / total_steps.max(1) as f64;
                f64::midpoint(1.0, (PI * done).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_stays() {
        assert!([0, 1, 50, 100, 1000].iter().all(|&step| Schedule::Constant.factor(step, 100) == 1.0));
    }

    #[test]
    fn cosine_falls_from_one_to_zero_by_half_in_the_middle() {
        let at = |step| Schedule::Cosine.factor(step, 100);
        for (step, want) in [(0, 1.0), (25, 0.5 + 0.5_f64.sqrt() / 2.0), (50, 0.5), (75, 0.5 - 0.5_f64.sqrt() / 2.0)] {
            assert!((at(step) - want).abs() < 1e-12, "{step}: {}", at(step));
        }
        assert!((Schedule::Cosine.factor(1, 3) - 0.75).abs() < 1e-12);
        assert!((0..100).all(|step| at(step + 1) < at(step)));
        // The last step still moves; only the end, which no step is made at, has none.
        assert!(at(99) > 1e-4 && at(99) < 1e-3);
        assert!(at(100).abs() < 1e-12 && at(1000).abs() < 1e-12);
    }

    #[test]
    fn no_steps_are_no_division_by_zero() {
        assert_eq!(Schedule::Cosine.factor(0, 0), 1.0);
    }

    #[test]
    fn its_names_are_those_of_the_page() {
        for (schedule, name) in [(Schedule::Constant, "\"constant\""), (Schedule::Cosine, "\"cosine\"")] {
            assert_eq!(serde_json::to_string(&schedule).unwrap(), name);
            assert_eq!(serde_json::from_str::<Schedule>(name).unwrap(), schedule);
        }
        assert!(serde_json::from_str::<Schedule>("\"step\"").is_err());
    }
}

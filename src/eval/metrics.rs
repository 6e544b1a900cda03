//! Precision, recall and F1 of each class.

use serde::Serialize;

use super::confusion::ConfusionMatrix;

/// How well one class is told from the others.
///
/// A ratio without a denominator is 0, as scikit-learn's `zero_division=0` has it: precision of a
/// class that was never predicted, recall of a class without samples, F1 where both are 0.
///
/// # Source
/// C. J. van Rijsbergen, *Information Retrieval*, 2nd edition, 1979, chapter 7.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassMetrics {
    /// Of the samples taken for this class, the share that are of it, in `[0, 1]`.
    pub precision: f64,
    /// Of the samples of this class, the share that were found, in `[0, 1]`.
    pub recall: f64,
    /// Harmonic mean of precision and recall, in `[0, 1]`.
    pub f1: f64,
    /// Samples of this class.
    pub support: usize,
}

/// The metrics of every class, in the order of the classes.
#[must_use]
pub fn class_metrics(matrix: &ConfusionMatrix) -> Vec<ClassMetrics> {
    (0..matrix.classes)
        .map(|class| {
            let found = matrix.get(class, class) as usize;
            let (support, predicted) = (matrix.truths(class), matrix.predictions(class));
            ClassMetrics {
                precision: ratio(found, predicted),
                recall: ratio(found, support),
                // 2PR / (P + R), with the fractions cleared.
                f1: ratio(2 * found, predicted + support),
                support,
            }
        })
        .collect()
}

/// Share of right answers, in `[0, 1]`; 0 without samples.
#[must_use]
pub fn accuracy(matrix: &ConfusionMatrix) -> f64 {
    ratio(matrix.correct(), matrix.total())
}

/// Unweighted mean of the classes' F1, in `[0, 1]`, classes without samples included.
#[must_use]
#[allow(clippy::cast_precision_loss)] // a few classes
pub fn macro_f1(classes: &[ClassMetrics]) -> f64 {
    if classes.is_empty() {
        return 0.0;
    }
    classes.iter().map(|class| class.f1).sum::<f64>() / classes.len() as f64
}

#[allow(clippy::cast_precision_loss)] // counts of samples, far below 2^52
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(classes: usize, counts: &[u32]) -> ConfusionMatrix {
        ConfusionMatrix { classes, counts: counts.to_vec() }
    }

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
    }

    /// Three classes worked out by hand.
    #[test]
    fn a_textbook_example() {
        #[rustfmt::skip]
        let matrix = matrix(3, &[
            8, 1, 1, // 10 of class 0
            2, 3, 0, //  5 of class 1
            0, 2, 3, //  5 of class 2
        ]);
        let classes = class_metrics(&matrix);
        // Class 0: predicted 10 times, 8 of them right, of 10.
        close(classes[0].precision, 0.8);
        close(classes[0].recall, 0.8);
        close(classes[0].f1, 0.8);
        // Class 1: predicted 6 times, 3 of them right, of 5: P = 1/2, R = 3/5, F1 = 6/11.
        close(classes[1].precision, 0.5);
        close(classes[1].recall, 0.6);
        close(classes[1].f1, 6.0 / 11.0);
        // Class 2: predicted 4 times, 3 of them right, of 5: P = 3/4, R = 3/5, F1 = 2/3.
        close(classes[2].precision, 0.75);
        close(classes[2].recall, 0.6);
        close(classes[2].f1, 2.0 / 3.0);
        assert_eq!(classes.iter().map(|class| class.support).collect::<Vec<_>>(), [10, 5, 5]);
        close(accuracy(&matrix), 14.0 / 20.0);
        close(macro_f1(&classes), (0.8 + 6.0 / 11.0 + 2.0 / 3.0) / 3.0);
    }

    #[test]
    fn f1_is_the_harmonic_mean() {
        for class in class_metrics(&matrix(2, &[5, 3, 1, 7])) {
            let (p, r) = (class.precision, class.recall);
            close(class.f1, 2.0 * p * r / (p + r));
        }
    }

    #[test]
    fn what_is_undefined_is_zero() {
        // Class 1 has no samples and class 2 is never predicted.
        let classes = class_metrics(&matrix(3, &[4, 1, 0, 0, 0, 0, 2, 0, 0]));
        assert_eq!((classes[1].precision, classes[1].recall, classes[1].f1), (0.0, 0.0, 0.0));
        assert_eq!((classes[2].precision, classes[2].recall, classes[2].f1), (0.0, 0.0, 0.0));
        assert_eq!(classes[2].support, 2);

        let empty = ConfusionMatrix::new(3);
        assert_eq!(accuracy(&empty), 0.0);
        assert_eq!(macro_f1(&class_metrics(&empty)), 0.0);
        assert_eq!(macro_f1(&[]), 0.0);
    }
}

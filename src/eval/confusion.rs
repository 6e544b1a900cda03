//! The confusion matrix: how often each class was taken for each.

use serde::Serialize;

use crate::error::{Error, Result};

/// Counts of samples by true and by predicted class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfusionMatrix {
    /// Number of classes, `C`.
    pub classes: usize,
    /// `[C, C]`, row-major: `counts[truth * C + predicted]`.
    pub counts: Vec<u32>,
}

impl ConfusionMatrix {
    /// An empty matrix of so many classes; at least one.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        let classes = classes.max(1);
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts one sample.
    ///
    /// # Errors
    /// [`Error::LabelOutOfRange`] when either is not one of the classes; its index is the number of
    /// samples counted before. Nothing is counted then.
    pub fn add(&mut self, truth: u8, predicted: u8) -> Result<()> {
        for label in [truth, predicted] {
            if usize::from(label) >= self.classes {
                return Err(Error::LabelOutOfRange { index: self.total(), label, classes: self.classes });
            }
        }
        self.counts[usize::from(truth) * self.classes + usize::from(predicted)] += 1;
        Ok(())
    }

    /// How many samples of `truth` were taken for `predicted`; 0 for classes that do not exist.
    #[must_use]
    pub fn get(&self, truth: usize, predicted: usize) -> u32 {
        if truth < self.classes && predicted < self.classes { self.counts[truth * self.classes + predicted] } else { 0 }
    }

    /// Samples counted.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.iter().map(|&count| count as usize).sum()
    }

    /// Samples whose class was predicted right: the sum of the diagonal.
    #[must_use]
    pub fn correct(&self) -> usize {
        (0..self.classes).map(|class| self.get(class, class) as usize).sum()
    }

    /// Samples that are of `class`: the sum of its row.
    #[must_use]
    pub fn truths(&self, class: usize) -> usize {
        (0..self.classes).map(|other| self.get(class, other) as usize).sum()
    }

    /// Samples that were taken for `class`: the sum of its column.
    #[must_use]
    pub fn predictions(&self, class: usize) -> usize {
        (0..self.classes).map(|other| self.get(other, class) as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_truths_and_columns_predictions() {
        let mut matrix = ConfusionMatrix::new(3);
        for (truth, predicted) in [(0, 0), (0, 2), (0, 2), (1, 1), (2, 0)] {
            matrix.add(truth, predicted).unwrap();
        }
        assert_eq!(matrix.counts, [1, 0, 2, 0, 1, 0, 1, 0, 0]);
        assert_eq!(matrix.get(0, 2), 2);
        assert_eq!(matrix.get(2, 0), 1);
        assert_eq!((matrix.truths(0), matrix.predictions(0)), (3, 2));
        assert_eq!((matrix.truths(2), matrix.predictions(2)), (1, 2));
        assert_eq!((matrix.total(), matrix.correct()), (5, 2));
    }

    #[test]
    fn rejects_what_is_no_class_and_counts_nothing() {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.add(1, 1).unwrap();
        let error = Error::LabelOutOfRange { index: 1, label: 3, classes: 3 };
        assert_eq!(matrix.add(3, 0), Err(error.clone()));
        assert_eq!(matrix.add(0, 3), Err(error));
        assert_eq!(matrix.total(), 1);
        assert_eq!(matrix.get(0, 3), 0, "not the first cell of the next row");
    }
}

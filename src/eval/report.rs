//! An evaluation's results, gathered batch by batch.

use serde::Serialize;

use super::confusion::ConfusionMatrix;
use super::metrics::{self, ClassMetrics};
use crate::error::{Error, Result};

/// What an evaluation found. `C` is the number of classes, `N` that of the samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Samples, `N`.
    pub count: usize,
    /// Mean cross-entropy in nats; 0 without samples.
    pub loss: f64,
    /// Share of right answers, in `[0, 1]`; 0 without samples.
    pub accuracy: f64,
    /// Which classes were taken for which.
    pub confusion: ConfusionMatrix,
    /// `[C]`, the metrics of each class.
    pub classes: Vec<ClassMetrics>,
    /// Unweighted mean of the classes' F1, in `[0, 1]`.
    pub macro_f1: f64,
    /// `[N]`, the true class of each sample, in the order in which they were added.
    #[serde(skip)]
    pub labels: Vec<u8>,
    /// `[N]`, the class predicted for each sample.
    #[serde(skip)]
    pub predictions: Vec<u8>,
    /// `[N, C]`, row-major: the softmax of each sample's logits.
    #[serde(skip)]
    pub probabilities: Vec<f32>,
}

impl Report {
    /// Positions of the samples of class `truth` that were taken for `predicted`, in order.
    #[must_use]
    pub fn cell(&self, truth: u8, predicted: u8) -> Vec<u32> {
        (0..)
            .zip(self.labels.iter().zip(&self.predictions))
            .filter(|&(_, pair)| pair == (&truth, &predicted))
            .map(|(position, _)| position)
            .collect()
    }

    /// `[C]`, the probabilities of the sample at `position`; `None` where there is none.
    #[must_use]
    pub fn probabilities_of(&self, position: usize) -> Option<&[f32]> {
        self.probabilities.chunks_exact(self.confusion.classes).nth(position)
    }
}

/// Gathers a [`Report`] from the logits of batch after batch.
#[derive(Debug, Clone)]
pub struct ReportBuilder {
    confusion: ConfusionMatrix,
    loss_sum: f64,
    labels: Vec<u8>,
    predictions: Vec<u8>,
    probabilities: Vec<f32>,
}

impl ReportBuilder {
    /// Of `classes` classes; at least one, at most 256, as labels are bytes.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self {
            confusion: ConfusionMatrix::new(classes.min(256)),
            loss_sum: 0.0,
            labels: Vec::new(),
            predictions: Vec::new(),
            probabilities: Vec::new(),
        }
    }

    /// Adds a batch. Where several logits are the largest, the first one is the prediction.
    ///
    /// # Shapes
    /// `logits: [B, C] f32`, row-major, any finite values; `labels: [B] u8` in `0..C`.
    ///
    /// # Errors
    /// [`Error::WrongLength`] when the lengths do not fit, [`Error::LabelOutOfRange`] with the position
    /// among all samples, [`Error::NotFinite`]. Nothing of the batch is added then.
    #[allow(clippy::cast_possible_truncation)] // probabilities are kept in f32
    pub fn add(&mut self, logits: &[f32], labels: &[u8]) -> Result<()> {
        let classes = self.confusion.classes;
        if logits.len() != labels.len() * classes {
            return Err(Error::WrongLength { what: "the logits", expected: labels.len() * classes, got: logits.len() });
        }
        if let Some(i) = labels.iter().position(|&label| usize::from(label) >= classes) {
            return Err(Error::LabelOutOfRange { index: self.labels.len() + i, label: labels[i], classes });
        }
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(Error::NotFinite { what: "the logits" });
        }

        for (row, &label) in logits.chunks_exact(classes).zip(labels) {
            let (predicted, maximum) = first_maximum(row);
            let log_sum = log_sum_exp(row, maximum);
            self.loss_sum += log_sum - f64::from(row[usize::from(label)]);
            self.probabilities.extend(row.iter().map(|&logit| (f64::from(logit) - log_sum).exp() as f32));
            self.confusion.add(label, predicted)?;
            self.predictions.push(predicted);
            self.labels.push(label);
        }
        Ok(())
    }

    /// Samples added so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// The report on all that was added.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of samples, far below 2^52
    pub fn finish(self) -> Report {
        let count = self.labels.len();
        let classes = metrics::class_metrics(&self.confusion);
        Report {
            count,
            loss: self.loss_sum / count.max(1) as f64,
            accuracy: metrics::accuracy(&self.confusion),
            macro_f1: metrics::macro_f1(&classes),
            confusion: self.confusion,
            classes,
            labels: self.labels,
            predictions: self.predictions,
            probabilities: self.probabilities,
        }
    }
}

/// The softmax of one row of logits; empty for an empty row.
///
/// # Shapes
/// - `logits` and result: `[C]`
#[must_use]
#[allow(clippy::cast_possible_truncation)] // probabilities are kept in f32
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let log_sum = log_sum_exp(logits, first_maximum(logits).1);
    logits.iter().map(|&logit| (f64::from(logit) - log_sum).exp() as f32).collect()
}

/// `ln Σ exp(logit)`, in f64 and shifted by the maximum, so that no logit overflows.
fn log_sum_exp(row: &[f32], maximum: f32) -> f64 {
    let maximum = f64::from(maximum);
    let sum: f64 = row.iter().map(|&logit| (f64::from(logit) - maximum).exp()).sum();
    maximum + sum.ln()
}

/// Position and value of the first of the largest logits of a row that is not empty.
fn first_maximum(row: &[f32]) -> (u8, f32) {
    (0..=u8::MAX)
        .zip(row.iter().copied())
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .unwrap_or((0, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-7, "{got} is not {expected}");
    }

    /// Logits that are logarithms of simple fractions.
    fn logs(fractions: &[f32]) -> Vec<f32> {
        fractions.iter().map(|fraction| fraction.ln()).collect()
    }

    #[test]
    fn loss_is_the_mean_cross_entropy() {
        let mut builder = ReportBuilder::new(3);
        builder.add(&logs(&[0.5, 0.25, 0.25, 0.1, 0.1, 0.8]), &[0, 1]).unwrap();
        builder.add(&logs(&[0.25, 0.5, 0.25]), &[1]).unwrap();
        assert_eq!(builder.count(), 3);
        let report = builder.finish();
        close(report.loss, (2f64.ln() + 10f64.ln() + 2f64.ln()) / 3.0);
        close(report.accuracy, 2.0 / 3.0);
        assert_eq!(report.count, 3);
        assert_eq!(report.predictions, [0, 2, 1]);
        assert_eq!(report.confusion.get(1, 2), 1);
        let expected = [0.5, 0.25, 0.25, 0.1, 0.1, 0.8, 0.25, 0.5, 0.25];
        for (&got, expected) in report.probabilities.iter().zip(expected) {
            close(f64::from(got), expected);
        }
        close(f64::from(report.probabilities_of(1).unwrap()[2]), 0.8);
        assert_eq!(report.probabilities_of(3), None);
        // F1: class 0 is perfect, class 1 has P = 1 and R = 1/2, class 2 has none.
        close(report.macro_f1, (1.0 + 2.0 / 3.0) / 3.0);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let mut builder = ReportBuilder::new(2);
        builder.add(&[3e38, -3e38, -1000.0, -1000.0], &[0, 1]).unwrap();
        let report = builder.finish();
        close(report.loss, 2f64.ln() / 2.0);
        assert_eq!(report.probabilities, [1.0, 0.0, 0.5, 0.5]);
    }

    #[test]
    fn the_first_maximum_wins() {
        let mut builder = ReportBuilder::new(3);
        builder.add(&[0.0, 2.0, 2.0, -1.0, -1.0, -1.0], &[1, 2]).unwrap();
        assert_eq!(builder.finish().predictions, [1, 0]);
    }

    #[test]
    fn a_cell_lists_its_samples() {
        let mut builder = ReportBuilder::new(2);
        builder.add(&[0.0, 1.0, 1.0, 0.0, 0.0, 1.0], &[0, 0, 1]).unwrap();
        builder.add(&[0.0, 1.0], &[0]).unwrap();
        let report = builder.finish();
        assert_eq!(report.cell(0, 1), [0, 3]);
        assert_eq!(report.cell(0, 0), [1]);
        assert_eq!(report.cell(1, 1), [2]);
        assert!(report.cell(1, 0).is_empty());
        assert!(report.cell(7, 0).is_empty());
    }

    #[test]
    fn a_bad_batch_adds_nothing() {
        let mut builder = ReportBuilder::new(2);
        builder.add(&[0.0, 1.0], &[1]).unwrap();
        let wrong_length = builder.add(&[0.0, 1.0, 2.0], &[0]).unwrap_err();
        assert_eq!(wrong_length.code(), "wrong_length");
        let label = builder.add(&[0.0, 1.0, 0.0, 1.0], &[0, 2]).unwrap_err();
        let expected = Error::LabelOutOfRange { index: 2, label: 2, classes: 2 };
        assert_eq!(label, expected);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = builder.add(&[0.0, 1.0, bad, 1.0], &[0, 0]).unwrap_err();
            assert_eq!(error.code(), "not_finite");
        }
        let report = builder.finish();
        assert_eq!((report.count, report.probabilities.len()), (1, 2));
    }

    #[test]
    fn no_samples_make_an_empty_report() {
        let report = ReportBuilder::new(10).finish();
        assert_eq!((report.count, report.loss, report.accuracy), (0, 0.0, 0.0));
        assert_eq!(report.classes.len(), 10);
    }
}

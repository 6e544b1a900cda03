//! How good the answers are: from logits and labels to a report.

pub mod confusion;
pub mod metrics;
pub mod report;

pub use confusion::ConfusionMatrix;
pub use metrics::ClassMetrics;
pub use report::{Report, ReportBuilder, softmax};

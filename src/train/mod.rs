//! Learning: the settings, the optimizer, one step ([`Trainer`]), and a whole run ([`Run`]).

pub mod config;
pub mod event;
pub mod loss;
pub mod optimizer;
pub mod parity;
pub mod run;
pub mod trainer;

pub use config::{OptimizerKind, TrainConfig};
pub use event::{EpochEnd, Phase, Progress, TrainEvent};
pub use run::{EvaluateOn, Run, RunState};
pub use trainer::{Batch, Trainer};

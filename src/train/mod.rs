//! Learning: the settings, the optimizer, the learning rate's schedule, one step ([`Trainer`]), and a whole run ([`Run`]).

pub mod config;
pub mod event;
pub mod loss;
pub mod optimizer;
pub mod parity;
pub mod run;
pub mod schedule;
pub mod trainer;

pub use config::{OptimizerKind, TrainConfig};
pub use event::{EpochEnd, Phase, Progress, TrainEvent};
pub use run::{EvaluateOn, Run, RunState};
pub use schedule::Schedule;
pub use trainer::{Batch, Trainer};

//! All that continues a run to the bit, as one safetensors file: the parameters by PyTorch's names,
//! the optimizer's state, and the rest as JSON in the file's notes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::ModelSpec;
use crate::store::safetensors::{self, DType, NamedTensor};
use crate::train::{Run, RunState, TrainConfig};

/// The notes' key.
const KEY: &str = "glassbox.run";
/// Changes whenever what is written here can no longer be read by the version before.
const VERSION: u32 = 1;
/// What the optimizer's tensors are called begins so.
const OPTIMIZER: [&str; 3] = ["velocity/", "moment_1/", "moment_2/"];

/// What is not a tensor.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notes {
    version: u32,
    spec: ModelSpec,
    config: TrainConfig,
    dataset_id: String,
    train_count: usize,
    state: RunState,
    /// Adam's count of steps.
    optimizer_steps: usize,
}

/// Writes a checkpoint of `run` on `dataset`.
///
/// # Errors
/// [`Error::DeviceFailed`], and those of [`safetensors::write`].
pub async fn write(run: &Run, dataset: &Dataset) -> Result<Vec<u8>> {
    let trainer = run.trainer();
    let mut tensors = trainer.net().tensors().await?;
    let (state, optimizer_steps) = trainer.optimizer_tensors().await?;
    tensors.extend(state);
    let notes = Notes {
        version: VERSION,
        spec: trainer.net().spec().clone(),
        config: trainer.config().clone(),
        dataset_id: dataset.id.clone(),
        train_count: dataset.train.len(),
        state: run.state(),
        optimizer_steps,
    };
    let notes = serde_json::to_string(&notes).map_err(invalid)?;
    safetensors::write(&tensors, &BTreeMap::from([(KEY.to_owned(), notes)]), DType::F32)
}

/// The run that a checkpoint continues.
///
/// # Errors
/// [`Error::CheckpointInvalid`] when the bytes are none, [`Error::CheckpointDataset`] when it
/// belongs to other data, and those of [`safetensors::check`].
pub fn read(bytes: &[u8], dataset: &Dataset, device: &burn::tensor::Device) -> Result<Run> {
    let (tensors, metadata) = safetensors::read(bytes)?;
    let notes = metadata
        .get(KEY)
        .ok_or_else(|| Error::CheckpointInvalid { reason: "the file holds weights alone, no run".to_owned() })?;
    let notes: Notes = serde_json::from_str(notes).map_err(invalid)?;
    if notes.version != VERSION {
        let reason = format!("it has version {}; this page reads version {VERSION}", notes.version);
        return Err(Error::CheckpointInvalid { reason });
    }
    if notes.dataset_id != dataset.id || notes.train_count != dataset.train.len() {
        let name = |id: &str, count: usize| format!("{id} ({count} training images)");
        return Err(Error::CheckpointDataset {
            expected: name(&notes.dataset_id, notes.train_count),
            got: name(&dataset.id, dataset.train.len()),
        });
    }
    let of_optimizer = |tensor: &NamedTensor| OPTIMIZER.iter().any(|prefix| tensor.name.starts_with(prefix));
    let (state, parameters): (Vec<_>, Vec<_>) = tensors.into_iter().partition(of_optimizer);
    let mut run = Run::from_tensors(&notes.spec, &parameters, notes.config, Some(dataset), device)?;
    // Before the first step there is no state yet.
    if !state.is_empty() {
        run.trainer_mut().restore_optimizer(&state, notes.optimizer_steps)?;
    } else if notes.state.step > 0 && run.trainer().config().momentum > 0.0 {
        return Err(Error::CheckpointInvalid { reason: "the optimizer's state is missing".to_owned() });
    }
    run.resume(notes.state)?;
    Ok(run)
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn invalid(error: serde_json::Error) -> Error {
    Error::CheckpointInvalid { reason: error.to_string() }
}

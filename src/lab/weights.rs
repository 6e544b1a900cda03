//! A net's weights as a file: safetensors with PyTorch's names and layouts, and in its notes what
//! images are normalised with.

use std::collections::BTreeMap;

use crate::data::Dataset;
use crate::error::Result;
use crate::model::Net;
use crate::store::safetensors::{self, DType};

const MEAN_KEY: &str = "glassbox.mean";
const STD_KEY: &str = "glassbox.std";
const DATASET_KEY: &str = "glassbox.dataset";

/// What a file says of its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Notes {
    /// Mean that images are normalised with, full ink is 1.
    pub mean: f32,
    /// Standard deviation that images are normalised with, full ink is 1; above 0.
    pub std: f32,
    /// The dataset that they learned from, where it is known.
    pub dataset_id: Option<String>,
}

impl Notes {
    /// Those of weights that learn from `dataset`.
    #[must_use]
    pub fn of(dataset: &Dataset) -> Self {
        Self { mean: dataset.mean, std: dataset.std, dataset_id: Some(dataset.id.clone()) }
    }

    /// Those of a file's metadata; `None` where it says nothing of use.
    #[must_use]
    pub fn read(metadata: &BTreeMap<String, String>) -> Option<Self> {
        let number = |key| metadata.get(key)?.parse::<f32>().ok().filter(|value| value.is_finite());
        let (mean, std) = (number(MEAN_KEY)?, number(STD_KEY).filter(|&std| std > 0.0)?);
        Some(Self { mean, std, dataset_id: metadata.get(DATASET_KEY).cloned() })
    }
}

/// The file.
///
/// # Errors
/// [`crate::Error::DeviceFailed`], and those of [`safetensors::write`].
pub async fn write(net: &Net, notes: &Notes, half: bool) -> Result<Vec<u8>> {
    let mut metadata = BTreeMap::from([
        // What the readers of other libraries look for.
        ("format".to_owned(), "pt".to_owned()),
        (MEAN_KEY.to_owned(), notes.mean.to_string()),
        (STD_KEY.to_owned(), notes.std.to_string()),
    ]);
    if let Some(id) = &notes.dataset_id {
        metadata.insert(DATASET_KEY.to_owned(), id.clone());
    }
    safetensors::write(&net.tensors().await?, &metadata, if half { DType::F16 } else { DType::F32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_from_the_metadata_or_not_at_all() {
        let of = |pairs: &[(&str, &str)]| {
            let metadata = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
            Notes::read(&metadata)
        };
        let notes = Notes { mean: 0.25, std: 0.5, dataset_id: None };
        assert_eq!(of(&[(MEAN_KEY, "0.25"), (STD_KEY, "0.5")]), Some(notes.clone()));
        let named = Notes { dataset_id: Some("mnist".to_owned()), ..notes };
        assert_eq!(of(&[(MEAN_KEY, "0.25"), (STD_KEY, "0.5"), (DATASET_KEY, "mnist")]), Some(named));
        assert_eq!(of(&[(MEAN_KEY, "0.25"), (STD_KEY, "0")]), None);
        assert_eq!(of(&[(MEAN_KEY, "NaN"), (STD_KEY, "1")]), None);
        assert_eq!(of(&[(MEAN_KEY, "a"), (STD_KEY, "1")]), None);
        assert_eq!(of(&[]), None);
    }
}

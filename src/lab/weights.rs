//! A net's weights as a file: safetensors with PyTorch's names and layouts, and in its notes what
//! images are normalised with.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::model::Net;
use crate::store::safetensors::{self, DType};

const MEAN_KEY: &str = "glassbox.mean";
const STD_KEY: &str = "glassbox.std";
const DATASET_KEY: &str = "glassbox.dataset";

/// The file. `normalisation` is mean and standard deviation, full ink is 1.
///
/// # Errors
/// [`crate::Error::DeviceFailed`], and those of [`safetensors::write`].
pub async fn write(net: &Net, (mean, std): (f32, f32), dataset_id: Option<&str>, half: bool) -> Result<Vec<u8>> {
    let mut notes = BTreeMap::from([
        // What the readers of other libraries look for.
        ("format".to_owned(), "pt".to_owned()),
        (MEAN_KEY.to_owned(), mean.to_string()),
        (STD_KEY.to_owned(), std.to_string()),
    ]);
    if let Some(id) = dataset_id {
        notes.insert(DATASET_KEY.to_owned(), id.to_owned());
    }
    safetensors::write(&net.tensors().await?, &notes, if half { DType::F16 } else { DType::F32 })
}

/// Mean and standard deviation from a file's notes; `None` where it says nothing of use.
#[must_use]
pub fn normalisation_of(notes: &BTreeMap<String, String>) -> Option<(f32, f32)> {
    let number = |key| notes.get(key)?.parse::<f32>().ok().filter(|value| value.is_finite());
    Some((number(MEAN_KEY)?, number(STD_KEY).filter(|&std| std > 0.0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalisation_is_read_from_the_notes_or_not_at_all() {
        let of = |mean: &str, std: &str| {
            let pairs = [(MEAN_KEY, mean), (STD_KEY, std)];
            normalisation_of(&pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
        };
        assert_eq!(of("0.25", "0.5"), Some((0.25, 0.5)));
        assert_eq!(of("0.25", "0"), None);
        assert_eq!(of("NaN", "1"), None);
        assert_eq!(of("a", "1"), None);
        assert_eq!(normalisation_of(&BTreeMap::new()), None);
    }
}

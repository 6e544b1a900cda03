//! Tensors with names, to and from the bytes of a safetensors file.
//!
//! Eight bytes of header length, a JSON header with names, types, shapes and offsets, and the values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ::safetensors::{Dtype as FileDtype, SafeTensorError, SafeTensors};
use half::{bf16, f16};

use crate::error::{Error, Result};

/// The header's entry that is no tensor but the file's own notes.
const METADATA: &str = "__metadata__";

/// A tensor as it is saved: `PyTorch`'s name and layout, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Such as `conv1.weight`.
    pub name: String,
    /// Its dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// As many values as the shape has places.
    pub values: Vec<f32>,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DType {
    /// Four bytes, exact.
    F32,
    /// Two bytes, rounded to 11 significant bits.
    F16,
}

impl DType {
    /// Its name in the file, and its bytes.
    fn spec(self) -> (&'static str, usize) {
        match self {
            Self::F32 => ("F32", 4),
            Self::F16 => ("F16", 2),
        }
    }
}

/// The bytes of a file with these tensors, in their order. The same input gives the same bytes.
///
/// The header is written here and not by the `safetensors` crate: that sorts the tensors by name
/// and keeps metadata in a hash map, whose order is another one each time.
///
/// # Errors
/// [`Error::WrongLength`] when a tensor's values do not fill its shape, [`Error::SafetensorsInvalid`]
/// when two share a name, [`Error::WeightsNotFinite`] when a finite value is too large for `dtype`.
pub fn write(tensors: &[NamedTensor], metadata: &BTreeMap<String, String>, dtype: DType) -> Result<Vec<u8>> {
    let invalid = |error: serde_json::Error| Error::SafetensorsInvalid { reason: error.to_string() };
    let (dtype_name, width) = dtype.spec();
    let mut names = BTreeSet::from([METADATA]);
    let mut header = String::from("{");
    let mut separator = "";
    if !metadata.is_empty() {
        let notes = serde_json::to_string(metadata).map_err(invalid)?;
        let _ = write!(header, "\"{METADATA}\":{notes}");
        separator = ",";
    }
    let mut start = 0;
    for tensor in tensors {
        full(tensor)?;
        if !names.insert(&tensor.name) {
            let reason = format!("the name {} is taken already", tensor.name);
            return Err(Error::SafetensorsInvalid { reason });
        }
        let end = start + tensor.values.len() * width;
        let name = serde_json::to_string(&tensor.name).map_err(invalid)?;
        let shape = serde_json::to_string(&tensor.shape).map_err(invalid)?;
        let _ = write!(
            header,
            "{separator}{name}:{{\"dtype\":\"{dtype_name}\",\"shape\":{shape},\"data_offsets\":[{start},{end}]}}"
        );
        (start, separator) = (end, ",");
    }
    header.push('}');
    // The values start at a multiple of eight, as the format asks; spaces are legal JSON.
    let padding = header.len().next_multiple_of(8) - header.len();
    header.extend(std::iter::repeat_n(' ', padding));

    let mut bytes = Vec::with_capacity(8 + header.len() + start);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    for tensor in tensors {
        match dtype {
            DType::F32 => bytes.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes())),
            DType::F16 => {
                let lost = |value: &&f32| value.is_finite() && !f16::from_f32(**value).is_finite();
                let count = tensor.values.iter().filter(lost).count();
                if count > 0 {
                    return Err(Error::WeightsNotFinite { name: tensor.name.clone(), count });
                }
                bytes.extend(tensor.values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()));
            }
        }
    }
    Ok(bytes)
}

/// The tensors of a file, in the order of its data, and its metadata.
///
/// F32, F16, BF16 and F64 all become f32, on purpose: whatever a file holds, the model is f32.
///
/// # Errors
/// [`Error::SafetensorsInvalid`] when the bytes are no safetensors file, are cut off or go on after
/// the data, or when a tensor holds another type of values.
#[allow(clippy::cast_possible_truncation)] // f64 to f32, on purpose
pub fn read(bytes: &[u8]) -> Result<(Vec<NamedTensor>, BTreeMap<String, String>)> {
    let invalid = |error: SafeTensorError| Error::SafetensorsInvalid { reason: in_words(&error) };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
    let file = SafeTensors::deserialize(bytes).map_err(invalid)?;
    let mut tensors = Vec::with_capacity(file.len());
    for name in header.offset_keys() {
        let view = file.tensor(&name).map_err(invalid)?;
        let data = view.data();
        let values = match view.dtype() {
            FileDtype::F32 => decode(data, f32::from_le_bytes),
            FileDtype::F16 => decode(data, |raw| f16::from_le_bytes(raw).to_f32()),
            FileDtype::BF16 => decode(data, |raw| bf16::from_le_bytes(raw).to_f32()),
            FileDtype::F64 => decode(data, |raw| f64::from_le_bytes(raw) as f32),
            other => {
                let reason = format!("{name} holds {other:?} values; F32, F16, BF16 and F64 can be read");
                return Err(Error::SafetensorsInvalid { reason });
            }
        };
        let shape = view.shape().to_vec();
        tensors.push(NamedTensor { name, shape, values });
    }
    let metadata = header.metadata().iter().flatten();
    Ok((tensors, metadata.map(|(key, value)| (key.clone(), value.clone())).collect()))
}

/// Whether these tensors are just those that a model needs, in any order.
///
/// # Errors
/// The first of: [`Error::WeightsMissing`], [`Error::WeightsUnexpected`], [`Error::WeightsShape`],
/// [`Error::WrongLength`], [`Error::WeightsNotFinite`].
pub fn check(tensors: &[NamedTensor], expected: &[(String, Vec<usize>)]) -> Result<()> {
    let there: BTreeMap<&str, &NamedTensor> = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let needed: BTreeSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();

    let missing = expected.iter().map(|(name, _)| name);
    let names: Vec<String> = missing.filter(|name| !there.contains_key(name.as_str())).cloned().collect();
    if !names.is_empty() {
        return Err(Error::WeightsMissing { names });
    }
    // A name that comes twice is one too many as well.
    let mut seen = BTreeSet::new();
    let mut wanted = |name: &str| needed.contains(name) && seen.insert(name.to_owned());
    let names: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).filter(|name| !wanted(name)).collect();
    if !names.is_empty() {
        return Err(Error::WeightsUnexpected { names });
    }
    for (name, shape) in expected {
        let tensor = there[name.as_str()];
        if tensor.shape != *shape {
            return Err(Error::WeightsShape { name: name.clone(), expected: shape.clone(), got: tensor.shape.clone() });
        }
        full(tensor)?;
    }
    for tensor in tensors {
        let count = tensor.values.iter().filter(|value| !value.is_finite()).count();
        if count > 0 {
            return Err(Error::WeightsNotFinite { name: tensor.name.clone(), count });
        }
    }
    Ok(())
}

/// What is wrong with a file, where the crate's own words tell of the format's insides.
fn in_words(error: &SafeTensorError) -> String {
    match error {
        SafeTensorError::HeaderTooSmall => "it is empty, or nearly so".into(),
        SafeTensorError::HeaderTooLarge => "it does not begin as one; perhaps a web page was saved in its place".into(),
        SafeTensorError::InvalidHeaderLength => "it ends too early, or is a file of another kind".into(),
        SafeTensorError::MetadataIncompleteBuffer => "it is cut off, or goes on after its data".into(),
        other => other.to_string(),
    }
}

/// Whether a tensor has as many values as its shape has places.
fn full(tensor: &NamedTensor) -> Result<()> {
    let places = tensor.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if places == Some(tensor.values.len()) {
        return Ok(());
    }
    Err(Error::WrongLength {
        what: "a tensor's values",
        expected: places.unwrap_or(usize::MAX),
        got: tensor.values.len(),
    })
}

/// Values of `N` bytes each, little-endian. The file's offsets are checked to be whole values before.
fn decode<const N: usize>(data: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks::<N>().0.iter().map(|&raw| value(raw)).collect()
}

#[cfg(test)]
mod tests;

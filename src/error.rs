//! The one error of the crate.
//!
//! Every failure that a visitor, a file or a device can cause is a variant with the numbers that
//! explain it. `code()` is stable, for programs; `Display` is a sentence, for people.

use thiserror::Error as ThisError;

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// One of a dataset's files is wrong.
    #[error("{file}: {error}")]
    InFile {
        /// Which one, such as "training images".
        file: &'static str,
        /// What is wrong with it.
        error: Box<Error>,
    },
    /// The IDX file ends before its header says it does.
    #[error("the file is truncated: its header asks for {expected_bytes} bytes, it has {got_bytes}")]
    IdxTruncated {
        /// Bytes that the header asks for, header included.
        expected_bytes: usize,
        /// Bytes that are there.
        got_bytes: usize,
    },
    /// The IDX file goes on after its data.
    #[error("the file is too long: its header asks for {expected_bytes} bytes, it has {got_bytes}")]
    IdxOversized {
        /// Bytes that the header asks for, header included.
        expected_bytes: usize,
        /// Bytes that are there.
        got_bytes: usize,
    },
    /// The first bytes are not those of an IDX file of unsigned bytes.
    #[error("this is no IDX file of unsigned bytes: it starts with {got:#010x}, expected {expected:#010x}")]
    IdxMagic {
        /// The magic number that belongs there.
        expected: u32,
        /// The magic number that is there.
        got: u32,
    },
    /// The IDX file has another number of dimensions than is needed.
    #[error("the file has {got} dimension(s) where {expected} are needed ({expected_what})")]
    IdxRank {
        /// Dimensions needed.
        expected: u8,
        /// Dimensions in the file.
        got: u8,
        /// "images" or "labels".
        expected_what: &'static str,
    },
    /// Images are not 28×28.
    #[error("the images are {rows}×{cols} pixels; the net takes 28×28")]
    ImageSize {
        /// Rows of an image.
        rows: usize,
        /// Columns of an image.
        cols: usize,
    },
    /// A label is not one of the classes.
    #[error("label {label} at position {index} is out of range: there are {classes} classes, 0 to {}", classes - 1)]
    LabelOutOfRange {
        /// Position in the file.
        index: usize,
        /// The label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
    /// Images and labels differ in number.
    #[error("there are {images} images and {labels} labels; each image needs one")]
    LengthMismatch {
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A dataset without samples.
    #[error("there are no samples in the {what}")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// A buffer is not as long as its shape says.
    #[error("{what}: expected {expected} values, got {got}")]
    WrongLength {
        /// What the buffer is.
        what: &'static str,
        /// Values expected.
        expected: usize,
        /// Values there.
        got: usize,
    },
    /// A setting has a value that makes no sense.
    #[error("{field}: {reason}")]
    ConfigInvalid {
        /// Name of the setting.
        field: &'static str,
        /// What is wrong with it, with the value.
        reason: String,
    },
    /// A model that cannot be built.
    #[error("layer {layer}: {reason}")]
    SpecInvalid {
        /// Name of the layer.
        layer: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No dataset is loaded.
    #[error("no dataset is loaded yet")]
    NoDataset,
    /// No such dataset.
    #[error("there is no dataset called {id}")]
    UnknownDataset {
        /// The name that was asked for.
        id: String,
    },
    /// No run is configured.
    #[error("no run is set up yet")]
    NoRun,
    /// No report has been made.
    #[error("nothing has been tested yet")]
    NoReport,
    /// An index past the end.
    #[error("{what} {index} does not exist: there are {count}")]
    OutOfRange {
        /// What was asked for.
        what: &'static str,
        /// Its index.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Not a safetensors file, or a broken one.
    #[error("this is no valid safetensors file: {reason}")]
    SafetensorsInvalid {
        /// What the reader says.
        reason: String,
    },
    /// Tensors of the model are missing in the file.
    #[error("the file lacks {} of this model's tensors: {}", names.len(), names.join(", "))]
    WeightsMissing {
        /// Names missing.
        names: Vec<String>,
    },
    /// The file has tensors that the model has not.
    #[error("the file has {} tensor(s) that this model has not: {}", names.len(), names.join(", "))]
    WeightsUnexpected {
        /// Names too many.
        names: Vec<String>,
    },
    /// A tensor has the wrong shape.
    #[error("{name} has shape {got:?} in the file; this model needs {expected:?}")]
    WeightsShape {
        /// Name of the tensor.
        name: String,
        /// Shape needed.
        expected: Vec<usize>,
        /// Shape in the file.
        got: Vec<usize>,
    },
    /// A tensor holds NaN or infinity.
    #[error("{name} holds {count} value(s) that are not finite numbers")]
    WeightsNotFinite {
        /// Name of the tensor.
        name: String,
        /// How many.
        count: usize,
    },
    /// The checkpoint belongs to another dataset.
    #[error("the saved run was on {expected}; the dataset loaded is {got}")]
    CheckpointDataset {
        /// The checkpoint's dataset.
        expected: String,
        /// The dataset that is loaded.
        got: String,
    },
    /// The checkpoint cannot be used.
    #[error("the saved run cannot be read: {reason}")]
    CheckpointInvalid {
        /// What is wrong.
        reason: String,
    },
    /// Values that must be finite are not.
    #[error("{what} holds values that are not finite numbers")]
    NotFinite {
        /// What holds them.
        what: &'static str,
    },
    /// The device cannot be had, or gives wrong results.
    #[error("the device cannot be used: {reason}")]
    DeviceUnavailable {
        /// Why.
        reason: String,
    },
    /// The device failed while computing.
    #[error("the device failed: {reason}")]
    DeviceFailed {
        /// What it says.
        reason: String,
    },
    /// A command that cannot be understood.
    #[error("the command is not understood: {reason}")]
    CommandInvalid {
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// A stable name of the failure, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InFile { error, .. } => error.code(),
            Self::IdxTruncated { .. } => "idx_truncated",
            Self::IdxOversized { .. } => "idx_oversized",
            Self::IdxMagic { .. } => "idx_magic",
            Self::IdxRank { .. } => "idx_rank",
            Self::ImageSize { .. } => "image_size",
            Self::LabelOutOfRange { .. } => "label_out_of_range",
            Self::LengthMismatch { .. } => "length_mismatch",
            Self::Empty { .. } => "empty",
            Self::WrongLength { .. } => "wrong_length",
            Self::ConfigInvalid { .. } => "config_invalid",
            Self::SpecInvalid { .. } => "spec_invalid",
            Self::NoDataset => "no_dataset",
            Self::UnknownDataset { .. } => "unknown_dataset",
            Self::NoRun => "no_run",
            Self::NoReport => "no_report",
            Self::OutOfRange { .. } => "out_of_range",
            Self::SafetensorsInvalid { .. } => "safetensors_invalid",
            Self::WeightsMissing { .. } => "weights_missing",
            Self::WeightsUnexpected { .. } => "weights_unexpected",
            Self::WeightsShape { .. } => "weights_shape",
            Self::WeightsNotFinite { .. } => "weights_not_finite",
            Self::CheckpointDataset { .. } => "checkpoint_dataset",
            Self::CheckpointInvalid { .. } => "checkpoint_invalid",
            Self::NotFinite { .. } => "not_finite",
            Self::DeviceUnavailable { .. } => "device_unavailable",
            Self::DeviceFailed { .. } => "device_failed",
            Self::CommandInvalid { .. } => "command_invalid",
        }
    }
}

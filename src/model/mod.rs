//! The model is data: a list of layers ([`ModelSpec`]), made into Burn modules by [`Net`].

pub mod net;
pub mod presets;
pub mod spec;
pub mod summary;

pub use net::{Net, ParameterMap, images_on};
pub use presets::lecture;
pub use spec::{LayerKind, LayerSpec, ModelSpec};
pub use summary::{LayerSummary, ModelSummary};

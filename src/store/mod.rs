//! What outlives the page: weights as bytes.

pub mod safetensors;

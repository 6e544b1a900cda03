//! Trains the lecture's net natively and writes its weights: those in `www/models` are made so.
//!
//! ```text
//! cargo run --example train -- --data DIR --out www/models/lecture.safetensors
//! ```
//!
//! `DIR` holds the dataset's four `.gz` files. Prints each epoch's results, and at the end the
//! confusion matrix. `--preset quick` takes the settings that the page starts with, `--preset lecture`
//! the lecture's; options after it change them. `--test-at N` tests once more after N images.
//! With the crate's feature `gpu`, `--device gpu` trains on WebGPU's native relatives.
//!
//! `--test FILE` tests the weights in a file instead, and `--predictions FILE` keeps what they say to
//! a hundred test images, for `tests/golden/check_load.py`. `--synthetic N` trains on N synthetic
//! digits instead and tests on the real ones.

#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    native::main()
}

/// There are no files in a browser; `wasm-pack test` compiles examples all the same.
#[cfg(target_arch = "wasm32")]
fn main() {}

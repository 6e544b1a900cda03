//! The browser's door to the lab: the only file that names `wasm_bindgen`, `js_sys` or `web_sys`.

use async_lock::Mutex;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use crate::data::CATALOG;
use crate::device::DeviceKind;
use crate::error::Error;
use crate::lab::{Command, Event, Lab};

/// Prints a panic where it can be seen before it ends the engine.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|info| web_sys::console::error_1(&info.to_string().into())));
}

/// A lab, for JavaScript. Commands and events are those of `www/protocol.js`.
#[wasm_bindgen(js_name = Lab)]
pub struct JsLab(Mutex<Lab>);

#[wasm_bindgen(js_class = Lab)]
impl JsLab {
    /// Carries out a command and gives its events, an array. Commands that overlap wait for one
    /// another.
    ///
    /// # Errors
    /// An `Error` with a stable `code` beside its message.
    pub async fn execute(&self, command: JsValue) -> Result<JsValue, JsValue> {
        let command: Command = serde_wasm_bindgen::from_value(command)
            .map_err(|error| js_error(&Error::CommandInvalid { reason: error.to_string() }))?;
        let events: Vec<Event> = self.0.lock().await.execute(command).await.map_err(|error| js_error(&error))?;
        to_js(&events)
    }
}

/// Opens a lab on a device, `"cpu"` or `"gpu"`.
///
/// # Errors
/// An `Error` with a stable `code` beside its message.
#[wasm_bindgen(js_name = createLab)]
pub async fn create_lab(device: &str) -> Result<JsLab, JsValue> {
    let kind = match device {
        "cpu" => DeviceKind::Cpu,
        "gpu" => DeviceKind::Gpu,
        other => {
            let reason = format!("there is no device called {other}");
            return Err(js_error(&Error::CommandInvalid { reason }));
        }
    };
    Ok(JsLab(Mutex::new(Lab::open(kind).await.map_err(|error| js_error(&error))?)))
}

/// The public datasets that the crate knows, an array.
///
/// # Errors
/// None in practice.
#[wasm_bindgen]
pub fn catalog() -> Result<JsValue, JsValue> {
    to_js(&CATALOG)
}

/// Bytes become `Uint8Array`s, maps plain objects, and what is not there null.
fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let serializer = Serializer::new().serialize_missing_as_null(true).serialize_maps_as_objects(true);
    value.serialize(&serializer).map_err(|error| js_error(&Error::CommandInvalid { reason: error.to_string() }))
}

fn js_error(error: &Error) -> JsValue {
    let js = js_sys::Error::new(&error.to_string());
    // Setting a property of a fresh object cannot fail.
    let _ = js_sys::Reflect::set(&js, &"code".into(), &error.code().into());
    js.into()
}

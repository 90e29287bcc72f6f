//! What a task gives.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::io::{exact, safetensors};

/// The entry of the metadata that holds the value.
const VALUE: &str = "value";

/// What a task gives: a value as JSON and tensors by name, all of it bit for bit. A value's floats
/// must be finite; numbers that may be NaN go into a tensor.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// The value.
    pub value: Value,
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Output {
    /// Makes the output of a value, without tensors.
    ///
    /// # Errors
    /// The value has no JSON form.
    pub fn of(value: &impl Serialize) -> Result<Self> {
        let value = serde_json::to_value(value)
            .map_err(|error| Error::argument("value", "one with a JSON form", error))?;
        Ok(Self {
            value,
            tensors: BTreeMap::new(),
        })
    }

    /// Adds a tensor.
    pub fn with(mut self, name: impl Into<String>, tensor: Tensor) -> Self {
        self.tensors.insert(name.into(), tensor);
        self
    }

    /// Adds a list of numbers, any of which may be NaN.
    ///
    /// # Errors
    /// The memory is full.
    pub fn with_numbers(self, name: impl Into<String>, numbers: &[f64]) -> Result<Self> {
        Ok(self.with(name, Tensor::new(numbers, &Device::Cpu)?))
    }

    /// The value as a type.
    ///
    /// # Errors
    /// It is of another type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(self.value.clone())
            .map_err(|error| Error::argument("a task's value", "one of this experiment", error))
    }

    /// A tensor.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        let names = || self.tensors.keys().cloned().collect::<Vec<_>>().join(", ");
        self.tensors
            .get(name)
            .ok_or_else(|| Error::argument("a task's tensor", format!("one of {}", names()), name))
    }

    /// A list that [`Output::with_numbers`] has added.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        Ok(self.tensor(name)?.to_vec1()?)
    }

    /// As bytes of a file.
    pub(super) fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let text = exact::to_text(&self.value)
            .map_err(|error| Error::file(path, "a value with a JSON form", error))?;
        let metadata = HashMap::from([(VALUE.to_owned(), text)]);
        safetensors::to_bytes(path, &self.tensors, Some(metadata))
    }

    /// Of the bytes of a file.
    pub(super) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let (tensors, metadata) = safetensors::from_bytes(path, bytes, &Device::Cpu)?;
        let text = metadata.get(VALUE).map_or("null", String::as_str);
        let value = exact::from_text(text)
            .map_err(|error| Error::file(path, "the value of a task", error))?;
        Ok(Self { value, tensors })
    }
}

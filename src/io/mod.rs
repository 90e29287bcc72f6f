//! Input and output: files that are written whole or not at all, digests, named tensors, and the
//! numbers of a notebook as JSON.

pub mod digest;
pub mod files;
pub mod results;
pub(crate) mod safetensors;

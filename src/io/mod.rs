//! Input and output: files that are written whole or not at all, digests, named tensors, and the
//! numbers of a notebook as JSON, and JSON whose numbers come back bit for bit.

pub mod digest;
pub mod exact;
pub mod files;
pub mod results;
pub(crate) mod safetensors;

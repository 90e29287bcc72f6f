//! The downloader: it completes a folder of given files from given sources. It knows no data set.

mod archive;
mod by_hand;
mod download;
mod file;
mod hub;
mod npm;
mod source;
mod store;

pub(super) use archive::each_file;
pub(super) use by_hand::ByHand;
pub(super) use download::download;
pub use download::{Fetched, fetch_from, missing};
pub use file::DataFile;
pub use hub::Hub;
pub use npm::Npm;
pub use source::{FileCallback, Files, Report, Source};

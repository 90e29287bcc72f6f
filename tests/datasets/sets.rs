//! The sets of the table, read from files made here.

use std::fs::{self, File};
use std::io::Write;

use candle_core::DType;
use candle_datasets::vision;
use isopath::Result;
use isopath::datasets::{Set, load};
use tempfile::{TempDir, tempdir};

use crate::common::{TRAIN_IMAGES, TRAIN_LABELS, idx, noise, tiny_mnist};

#[test]
fn mnist_loads_pixels_in_0_1_u32_labels_and_names() -> Result<()> {
    let root = tiny_mnist();
    let digits = load(Set::Mnist, root.path())?;
    assert_eq!(digits.train.inputs.dims(), [3, 784]);
    assert_eq!(digits.test.inputs.dims(), [2, 784]);
    assert_eq!(digits.train.inputs.dtype(), DType::F32);
    assert_eq!(digits.train.labels.to_vec1::<u32>()?, [9, 0, 4]);
    assert_eq!(digits.test.labels.to_vec1::<u32>()?, [1, 1]);
    assert_eq!(digits.train.classes[..], Set::Mnist.classes()[..]);
    assert_eq!(
        digits.test.classes.len(),
        10,
        "named, whichever labels there are"
    );
    // candle-datasets 0.11.1 reads the same numbers.
    let by_candle = vision::mnist::load_dir(root.path().join("mnist"))?;
    assert_eq!(
        digits.train.inputs.to_vec2::<f32>()?,
        by_candle.train_images.to_vec2::<f32>()?
    );
    Ok(())
}

#[test]
fn fashion_mnist_is_mnist_s_layout_with_other_names() -> Result<()> {
    let root = tiny_mnist();
    fs::rename(root.path().join("mnist"), root.path().join("fashion_mnist")).unwrap();
    let clothes = load(Set::FashionMnist, root.path())?;
    assert_eq!(clothes.train.inputs.dims(), [3, 784]);
    assert_eq!(clothes.train.of_class("Ankle boot")?.len(), 1);
    assert_eq!(clothes.train.of_class("T-shirt/top")?.len(), 1);
    assert_eq!(clothes.test.of_class("Trouser")?.len(), 2);
    let error = load(Set::Mnist, root.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("expected the file that `isopath data mnist` downloads"),
        "{error}"
    );
    Ok(())
}

/// The one-line error of an MNIST with one file replaced.
fn mnist_error(name: &str, bytes: &[u8]) -> String {
    let root = tiny_mnist();
    fs::write(root.path().join("mnist").join(name), bytes).unwrap();
    let error = load(Set::Mnist, root.path()).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    let (path, rest) = error.split_once(": ").unwrap();
    assert!(path.ends_with(name), "{error}");
    rest.to_string()
}

#[test]
fn bad_idx_is_refused_with_expected_and_got() {
    let images = |n, rows, columns| idx(&[2051, n, rows, columns], &noise(3 * 784, 5));
    for (name, bytes, expected) in [
        (
            TRAIN_IMAGES,
            idx(&[2049, 3], &[0; 3]),
            "3 bytes; expected images of 28×28",
        ),
        (
            TRAIN_IMAGES,
            idx(&[0x0d03, 1, 28, 28], &[0; 4 * 784]),
            "magic number 3331; expected an idx file of bytes (magic number 2049 for labels, 2051 for images)",
        ),
        (
            TRAIN_IMAGES,
            b"\x89PNG\r\n".to_vec(),
            "magic number 2303741511; expected an idx file of bytes (magic number 2049 for labels, 2051 for images)",
        ),
        (
            TRAIN_IMAGES,
            vec![],
            "0 bytes; expected a header of 4 bytes",
        ),
        (
            TRAIN_IMAGES,
            images(3, 28, 28)[..10].to_vec(),
            "10 bytes; expected a header of 16 bytes",
        ),
        (
            TRAIN_IMAGES,
            images(3, 28, 28)[..2000].to_vec(),
            "1984 bytes; expected 3×28×28 bytes after the header",
        ),
        (
            TRAIN_IMAGES,
            images(4, 28, 28),
            "2352 bytes; expected 4×28×28 bytes after the header",
        ),
        (
            TRAIN_IMAGES,
            images(6, 14, 28),
            "6×14×28 bytes; expected images of 28×28",
        ),
        (
            TRAIN_IMAGES,
            images(u32::MAX, u32::MAX, u32::MAX),
            "2352 bytes; expected 4294967295×4294967295×4294967295 bytes after the header",
        ),
        (
            TRAIN_IMAGES,
            idx(&[2051, 0, 28, 28], &[]),
            "0×28×28 bytes; expected one image or more, of one dimension or more",
        ),
        (
            TRAIN_LABELS,
            idx(&[2049, 2], &[0, 1]),
            "2 bytes; expected 3 labels, one an image",
        ),
        (
            TRAIN_LABELS,
            idx(&[2049, 3], &[0, 1]),
            "2 bytes; expected 3 bytes after the header",
        ),
        (
            TRAIN_LABELS,
            idx(&[2049, 3], &[0, 1, 10]),
            "label 10 of image 2; expected labels from 0 to 9",
        ),
    ] {
        assert_eq!(mnist_error(name, &bytes), expected);
    }
}

#[test]
fn missing_file_names_the_command_that_downloads_it() {
    let root = tiny_mnist();
    fs::remove_file(root.path().join("mnist").join(TRAIN_LABELS)).unwrap();
    let error = load(Set::Mnist, root.path()).unwrap_err().to_string();
    assert!(error.ends_with(
        "train-labels-idx1-ubyte: missing; expected the file that `isopath data mnist` downloads"
    ));
    let error = load(Set::Cifar10, root.path()).unwrap_err().to_string();
    assert!(error.ends_with(
        "data_batch_1.bin: missing; expected the file that `isopath data cifar10` downloads"
    ));
}

const BATCH_BYTES: u64 = 30_730_000;

/// A root with a CIFAR-10 of zeros (sparse files).
fn zero_cifar() -> TempDir {
    let root = tempdir().unwrap();
    let folder = root.path().join("cifar10");
    fs::create_dir(&folder).unwrap();
    for file in Set::Cifar10.files() {
        File::create(folder.join(file.name))
            .unwrap()
            .set_len(BATCH_BYTES)
            .unwrap();
    }
    root
}

#[test]
fn bad_cifar10_is_refused_with_expected_and_got() {
    let root = zero_cifar();
    let path = root.path().join("cifar10/test_batch.bin");
    let error = || load(Set::Cifar10, root.path()).unwrap_err().to_string();
    let mut bytes = vec![0; BATCH_BYTES as usize];
    bytes[3073 * 5] = 10;
    fs::write(&path, &bytes).unwrap();
    assert!(
        error().ends_with("test_batch.bin: label 10 of image 5; expected labels from 0 to 9"),
        "{}",
        error()
    );
    fs::write(&path, &bytes[1..]).unwrap();
    assert!(
        error().ends_with("30729999 bytes; expected 30730000 bytes, 10000 records of 3073"),
        "{}",
        error()
    );
}

#[test]
fn cifar10_loads_channels_then_rows_then_columns() -> Result<()> {
    let root = zero_cifar();
    // Image 1 of the third batch: label 7; green, row 2, column 3 is 255.
    let path = root.path().join("cifar10/data_batch_3.bin");
    let mut bytes = vec![0; BATCH_BYTES as usize];
    bytes[3073] = 7;
    bytes[3073 + 1 + 1024 + 2 * 32 + 3] = 255;
    File::options()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(&bytes))
        .unwrap();
    let images = load(Set::Cifar10, root.path())?;
    assert_eq!(images.train.inputs.dims(), [50_000, 3, 32, 32]);
    assert_eq!(images.test.inputs.dims(), [10_000, 3, 32, 32]);
    let horse = images.train.of_class("horse")?;
    assert_eq!(horse.len(), 1);
    assert_eq!(images.train.labels.get(20_001)?.to_scalar::<u32>()?, 7);
    let image = horse.inputs.get(0)?;
    assert_eq!(image.get(1)?.get(2)?.get(3)?.to_scalar::<f32>()?, 1.);
    assert_eq!(image.sum_all()?.to_scalar::<f32>()?, 1.);
    Ok(())
}

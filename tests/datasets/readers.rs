fn idx(header: &[u32], data: &[u8]) -> Vec<u8> {
    let header: Vec<u8> = header
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    [&header, data].concat()
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";

/// A root with an MNIST of three training images and two test images.
fn tiny_mnist() -> TempDir {
    let root = tempdir().unwrap();
    let folder = root.path().join("mnist");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join(TRAIN_IMAGES),
        idx(&[2051, 3, 28, 28], &noise(3 * 784, 5)),
    )
    .unwrap();
    fs::write(folder.join(TRAIN_LABELS), idx(&[2049, 3], &[9, 0, 4])).unwrap();
    fs::write(
        folder.join("t10k-images-idx3-ubyte"),
        idx(&[2051, 2, 28, 28], &noise(2 * 784, 6)),
    )
    .unwrap();
    fs::write(
        folder.join("t10k-labels-idx1-ubyte"),
        idx(&[2049, 2], &[1, 1]),
    )
    .unwrap();
    root
}

#[test]
fn mnist_loads_pixels_in_0_1_and_u32_labels() -> Result<()> {
    let images = mnist::load(tiny_mnist().path())?;
    assert_eq!(
        (images.train_images.dims(), images.test_images.dims()),
        (&[3, 784][..], &[2, 784][..])
    );
    assert_eq!(images.train_images.dtype(), DType::F32);
    assert_eq!(images.train_labels.to_vec1::<u32>()?, [9, 0, 4]);
    assert_eq!(images.test_labels.to_vec1::<u32>()?, [1, 1]);
    assert_eq!(images.classes, 10);
    let expected: Vec<f32> = noise(3 * 784, 5)
        .into_iter()
        .map(|byte| f32::from(byte) / 255.)
        .collect();
    // candle multiplies by 1/255: one rounding more.
    let error = images
        .train_images
        .flatten_all()?
        .to_vec1::<f32>()?
        .into_iter()
        .zip(expected);
    assert!(
        error
            .into_iter()
            .all(|(a, b)| (a - b).abs() <= f32::EPSILON && (0. ..=1.).contains(&a))
    );
    Ok(())
}

/// The one-line error of an MNIST with one file replaced.
fn mnist_error(name: &str, bytes: &[u8]) -> String {
    let root = tiny_mnist();
    fs::write(root.path().join("mnist").join(name), bytes).unwrap();
    let error = mnist::load(root.path()).unwrap_err().to_string();
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
            "magic number 2049; expected the magic number 2051",
        ),
        (
            TRAIN_IMAGES,
            vec![],
            "0 bytes; expected a header of 16 bytes",
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
            "6 images of 14×28; expected one image or more of 28×28",
        ),
        (
            TRAIN_IMAGES,
            images(u32::MAX, u32::MAX, u32::MAX),
            "2352 bytes; expected 4294967295×4294967295×4294967295 bytes after the header",
        ),
        (
            TRAIN_IMAGES,
            idx(&[2051, 0, 28, 28], &[]),
            "0 images of 28×28; expected one image or more of 28×28",
        ),
        (
            TRAIN_LABELS,
            idx(&[2049, 2], &[0, 1]),
            "2 labels; expected 3 labels, one an image",
        ),
        (
            TRAIN_LABELS,
            idx(&[2049, 3], &[0, 1]),
            "2 bytes; expected 3 bytes after the header",
        ),
        (
            TRAIN_LABELS,
            idx(&[2049, 3], &[0, 1, 10]),
            "label 10 at 2; expected labels from 0 to 9",
        ),
    ] {
        assert_eq!(mnist_error(name, &bytes), expected);
    }
}

#[test]
fn missing_file_names_the_command_that_brings_it() {
    let root = tiny_mnist();
    fs::remove_file(root.path().join("mnist").join(TRAIN_LABELS)).unwrap();
    let error = mnist::load(root.path()).unwrap_err().to_string();
    assert!(error.ends_with(
        "train-labels-idx1-ubyte: missing; expected the file that `isopath data mnist` brings"
    ));
    let error = cifar10::load(root.path()).unwrap_err().to_string();
    assert!(error.ends_with(
        "data_batch_1.bin: missing; expected the file that `isopath data cifar10` brings"
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
    let error = || cifar10::load(root.path()).unwrap_err().to_string();
    let mut bytes = vec![0; BATCH_BYTES as usize];
    bytes[3073 * 5] = 10;
    fs::write(&path, &bytes).unwrap();
    assert!(
        error().ends_with("test_batch.bin: label 10 at 5; expected labels from 0 to 9"),
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
    let images = cifar10::load(root.path())?;
    assert_eq!(images.train_images.dims(), [50_000, 3, 32, 32]);
    assert_eq!(images.test_images.dims(), [10_000, 3, 32, 32]);
    let image = images.train_images.get(20_001)?;
    assert_eq!(image.get(1)?.get(2)?.get(3)?.to_scalar::<f32>()?, 1.);
    assert_eq!(image.sum_all()?.to_scalar::<f32>()?, 1.);
    assert_eq!(images.train_labels.get(20_001)?.to_scalar::<u32>()?, 7);
    assert_eq!(images.train_labels.sum_all()?.to_scalar::<u32>()?, 7);
    Ok(())
}


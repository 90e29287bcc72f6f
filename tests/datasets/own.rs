//! Data of one's own: folders of pictures, files of NumPy, idx files.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use candle_core::{DType, Device, Tensor};
use isopath::datasets::Dataset;
use isopath::{Error, Result};
use png::{BitDepth, ColorType};
use tempfile::{TempDir, tempdir};

use crate::common::{gzipped, idx};

/// The one-line error of a data set.
fn error(data: Result<Dataset>) -> String {
    let error = data.unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

fn close(found: &Tensor, expected: &[f32]) -> Result<()> {
    let found = found.flatten_all()?.to_vec1::<f32>()?;
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= f32::EPSILON, "{found:?}");
    }
    Ok(())
}

// ----------------------------------------------------------------------------------------------------------
// tensors

#[test]
fn labels_may_be_of_any_integers_but_not_of_any_size() -> Result<()> {
    let inputs = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
    let data = |labels: Tensor| Dataset::new(inputs.clone(), labels);
    let tensor = |labels: [i64; 2]| Tensor::new(&labels, &Device::Cpu);
    for dtype in [DType::U8, DType::I16, DType::I32, DType::U32, DType::I64] {
        let data = data(tensor([2, 0])?.to_dtype(dtype)?)?;
        assert_eq!(data.labels.to_vec1::<u32>()?, [2, 0]);
        assert_eq!(data.classes[..], ["0", "1", "2"]);
    }
    for (labels, wrong) in [
        ([-1, 0], -1i64),
        ([0, 1 << 32], 1i64 << 32),
        ([1_000_000, 5], 1_000_000),
    ] {
        let error = error(data(tensor(labels)?));
        assert_eq!(
            error,
            format!("labels is {wrong}; expected from 0 to 999999")
        );
    }
    Ok(())
}

#[test]
fn reshaping_keeps_the_numbers_and_refuses_another_count() -> Result<()> {
    let inputs = Tensor::arange(0f32, 12., &Device::Cpu)?.reshape((2, 2, 3))?;
    let data = Dataset::new(inputs, Tensor::new(&[0u32, 1], &Device::Cpu)?)?;
    assert_eq!(
        data.reshaped(&[6])?.inputs.to_vec2::<f32>()?[1],
        [6., 7., 8., 9., 10., 11.]
    );
    assert_eq!(data.reshaped(&[1, 2, 3])?.inputs.dims(), [2, 1, 2, 3]);
    for shape in [&[5][..], &[], &[usize::MAX, 2]] {
        let expected = "expected as many numbers as an input of [2, 3]";
        assert!(error(data.reshaped(shape)).ends_with(expected));
    }
    Ok(())
}

// ----------------------------------------------------------------------------------------------------------
// pictures

fn png(color: ColorType, depth: BitDepth, [width, height]: [u32; 2], bytes: &[u8]) -> Vec<u8> {
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(bytes)
        .unwrap();
    png
}

fn grey(bytes: &[u8; 2]) -> Vec<u8> {
    png(ColorType::Grayscale, BitDepth::Eight, [2, 1], bytes)
}

/// A folder with files at these paths.
fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempdir().unwrap();
    for (path, bytes) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

#[test]
fn pictures_come_by_class_and_name_and_other_files_are_left_out() -> Result<()> {
    let dir = folder(&[
        ("dog/b.png", grey(&[3, 4])),
        ("dog/a.PNG", grey(&[255, 0])),
        ("cat/z.png", grey(&[51, 102])),
        ("cat/notes.txt", b"no picture".to_vec()),
        (".cache/x.png", b"no picture".to_vec()),
        ("readme.md", b"no folder".to_vec()),
    ]);
    let data = Dataset::from_folder(dir.path())?;
    assert_eq!(data.inputs.dims(), [3, 1, 1, 2]);
    assert_eq!(data.labels.to_vec1::<u32>()?, [0, 1, 1]);
    assert_eq!(data.classes[..], ["cat", "dog"]);
    close(&data.inputs, &[0.2, 0.4, 1., 0., 3. / 255., 4. / 255.])
}

#[test]
fn colours_are_planes_and_transparency_and_16_bits_are_dropped() -> Result<()> {
    let eight = BitDepth::Eight;
    let dir = folder(&[
        (
            "all/a.png",
            png(ColorType::Rgb, eight, [2, 1], &[51, 102, 153, 0, 255, 0]),
        ),
        (
            "all/b.png",
            png(
                ColorType::Rgba,
                eight,
                [2, 1],
                &[51, 102, 153, 0, 0, 255, 0, 9],
            ),
        ),
        (
            "all/c.png",
            png(
                ColorType::Rgb,
                BitDepth::Sixteen,
                [2, 1],
                &[51, 51, 102, 102, 153, 153, 0, 0, 255, 255, 0, 0],
            ),
        ),
    ]);
    let data = Dataset::from_folder(dir.path())?;
    assert_eq!(data.inputs.dims(), [3, 3, 1, 2]);
    for picture in 0..3 {
        close(&data.inputs.get(picture)?, &[0.2, 0., 0.4, 1., 0.6, 0.])?;
    }
    Ok(())
}

/// `Image.new("RGB", (16, 16), (200, 100, 50)).save(path, "JPEG")` of Pillow 13.0.0, which reads
/// (200, 100, 50) everywhere.
const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAARCAAQABADASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwCOiiivmj7A/9k=";

#[test]
fn a_jpeg_is_read_whatever_its_name() -> Result<()> {
    let bytes = STANDARD.decode(JPEG).unwrap();
    let dir = folder(&[("one/a.jpg", bytes.clone()), ("one/b.png", bytes)]);
    let data = Dataset::from_folder(dir.path())?;
    assert_eq!(data.inputs.dims(), [2, 3, 16, 16]);
    let means = data.inputs.mean((2, 3))?;
    close(
        &means.affine(255., 0.)?.round()?,
        &[200., 100., 50., 200., 100., 50.],
    )
}

#[test]
fn bad_folders_are_refused_by_name() {
    let whole = grey(&[1, 2]);
    let huge = {
        let mut png = grey(&[1, 2]);
        // The width and height in the header, with its checksum wrong as well.
        png[16..24].fill(0x7f);
        png
    };
    for (files, expected) in [
        (
            vec![],
            "no sub-folder; expected one sub-folder for each class",
        ),
        (
            vec![("a.png", whole.clone())],
            "no sub-folder; expected one sub-folder for each class",
        ),
        (
            vec![("cat/a.png", whole.clone()), ("dog/a.gif", whole.clone())],
            "dog: none; expected pictures that end in png, jpg, jpeg",
        ),
        (
            vec![("cat/a.png", whole[..40].to_vec())],
            "expected a whole PNG or JPEG",
        ),
        (
            vec![("cat/a.png", b"text".to_vec())],
            "expected a whole PNG or JPEG",
        ),
        (vec![("cat/a.jpg", vec![])], "expected a whole PNG or JPEG"),
        (vec![("cat/a.png", huge)], "expected a whole PNG or JPEG"),
        (
            vec![
                ("cat/a.png", whole.clone()),
                (
                    "cat/b.png",
                    png(ColorType::Grayscale, BitDepth::Eight, [1, 2], &[1, 2]),
                ),
            ],
            "cat/b.png: 2×1 pixels in grey; expected 1×2 pixels in grey, as ",
        ),
        (
            vec![
                ("cat/a.png", whole.clone()),
                (
                    "dog/b.png",
                    png(ColorType::Rgb, BitDepth::Eight, [2, 1], &[0; 6]),
                ),
            ],
            "dog/b.png: 1×2 pixels in colour; expected 1×2 pixels in grey, as ",
        ),
    ] {
        let dir = folder(&files);
        let error = error(Dataset::from_folder(dir.path()));
        assert!(error.contains(expected), "{error}");
        assert!(error.starts_with(dir.path().to_str().unwrap()), "{error}");
    }
    assert!(error(Dataset::from_folder("/nowhere")).starts_with("/nowhere: "));
}

// ----------------------------------------------------------------------------------------------------------
// NumPy

/// `x = numpy.array([[0, 51], [102, 255]], numpy.uint8)`, `y = numpy.array([1, 0])`, by NumPy 2.4.6:
/// `numpy.savez(path, x=x, y=y)`; `numpy.savez_compressed(path, x=x, y=y)`; `numpy.savez(path,
/// x=numpy.asfortranarray(x * 1.), y=y)`.
const SAVED: &str = "UEsDBC0AAAAAAAAAIQA2A6hE//////////8FABQAeC5ucHkBABAAhAAAAAAAAACEAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3x1MScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAyKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKADNm/1BLAwQtAAAAAAAAACEAcfs5q///////////BQAUAHkubnB5AQAQAJAAAAAAAAAAkAAAAAAAAACTTlVNUFkBAHYAeydkZXNjcic6ICc8aTgnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgCgEAAAAAAAAAAAAAAAAAAABQSwECLQMtAAAAAAAAACEANgOoRIQAAACEAAAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwECLQMtAAAAAAAAACEAcfs5q5AAAACQAAAABQAAAAAAAAAAAAAAgAG7AAAAeS5ucHlQSwUGAAAAAAIAAgBmAAAAggEAAAAA";
const COMPRESSED: &str = "UEsDBC0AAAAIAAAAIQA2A6hE//////////8FABQAeC5ucHkBABAAhAAAAAAAAABKAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF5Taqiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CkaaOgq1CmQDLgbjtP8AUEsDBC0AAAAIAAAAIQBx+zmr//////////8FABQAeS5ucHkBABAAkAAAAAAAAABIAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoKtQoUAC5GBlQAAFBLAQItAy0AAAAIAAAAIQA2A6hESgAAAIQAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLAQItAy0AAAAIAAAAIQBx+zmrSAAAAJAAAAAFAAAAAAAAAAAAAACAAYEAAAB5Lm5weVBLBQYAAAAAAgACAGYAAAAAAQAAAAA=";
const FORTRAN: &str = "UEsDBC0AAAAAAAAAIQB+vAZC//////////8FABQAeC5ucHkBABAAoAAAAAAAAACgAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmOCcsICdmb3J0cmFuX29yZGVyJzogVHJ1ZSwgJ3NoYXBlJzogKDIsIDIpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAAAAAAAAAAAAAAAAIBZQAAAAAAAgElAAAAAAADgb0BQSwMELQAAAAAAAAAhAHH7Oav//////////wUAFAB5Lm5weQEAEACQAAAAAAAAAJAAAAAAAAAAk05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAAAAAAAAAAAAAAAAAAAUEsBAi0DLQAAAAAAAAAhAH68BkKgAAAAoAAAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAi0DLQAAAAAAAAAhAHH7OauQAAAAkAAAAAUAAAAAAAAAAAAAAIAB1wAAAHkubnB5UEsFBgAAAAACAAIAZgAAAJ4BAAAAAA==";

fn saved(dir: &TempDir, text: &str) -> std::path::PathBuf {
    let path = dir.path().join("data.npz");
    fs::write(&path, STANDARD.decode(text).unwrap()).unwrap();
    path
}

fn write(path: &Path, arrays: &[(&str, Tensor)]) -> Result<()> {
    Ok(Tensor::write_npz(arrays, path)?)
}

#[test]
fn numpy_s_file_is_read_and_bytes_become_pixels() -> Result<()> {
    let dir = tempdir().unwrap();
    let data = Dataset::from_npz(saved(&dir, SAVED))?;
    assert_eq!(data.inputs.dims(), [2, 2]);
    assert_eq!(data.labels.to_vec1::<u32>()?, [1, 0]);
    close(&data.inputs, &[0., 0.2, 0.4, 1.])
}

#[test]
fn floats_keep_their_values_under_every_name() -> Result<()> {
    let path = tempdir().unwrap();
    let path = path.path().join("data.npz");
    let x = Tensor::new(&[[-1.5f64, 300.], [0.1, 2.]], &Device::Cpu)?;
    let y = Tensor::new(&[0i64, 1], &Device::Cpu)?;
    for (inputs, labels) in [("x", "y"), ("images", "labels"), ("inputs", "y")] {
        for dtype in [DType::F16, DType::F32, DType::F64] {
            let arrays = [
                (inputs, x.to_dtype(dtype)?),
                ("mask", y.clone()),
                (labels, y.clone()),
            ];
            write(&path, &arrays)?;
            let data = Dataset::from_npz(&path)?;
            assert_eq!(data.inputs.dtype(), DType::F32);
            let tenth = if dtype == DType::F16 {
                0.099_975_586
            } else {
                0.1
            };
            close(&data.inputs, &[-1.5, 300., tenth, 2.])?;
        }
    }
    Ok(())
}

#[test]
fn bad_files_of_numpy_are_refused() -> Result<()> {
    let dir = tempdir().unwrap();
    let path = dir.path().join("data.npz");
    let floats = |n: usize| Tensor::zeros((n, 2), DType::F32, &Device::Cpu);
    let integers = |n: usize| Tensor::zeros(n, DType::I64, &Device::Cpu);
    for (arrays, expected) in [
        (
            vec![],
            "no arrays; expected one array called x or images or inputs",
        ),
        (
            vec![("z", floats(2)?), ("a", floats(2)?)],
            "the arrays a, z; expected one array called x or images or inputs",
        ),
        (
            vec![("x", floats(2)?)],
            "the arrays x; expected one array called y or labels",
        ),
        (
            vec![
                ("x", floats(2)?),
                ("images", floats(2)?),
                ("y", integers(2)?),
            ],
            "the arrays images, x, y; expected one array called x or images or inputs",
        ),
        (
            vec![("x", integers(2)?), ("y", integers(2)?)],
            "inputs of I64; expected inputs of uint8 or floats (in Python: x.astype(\"float32\"))",
        ),
    ] {
        write(&path, &arrays)?;
        assert_eq!(
            error(Dataset::from_npz(&path)),
            format!("{}: {expected}", path.display())
        );
    }
    write(&path, &[("x", floats(2)?), ("y", integers(3)?)])?;
    assert!(error(Dataset::from_npz(&path)).contains("(2,), one for each input"));
    write(&path, &[("x", floats(2)?), ("y", floats(2)?.sum(1)?)])?;
    assert!(error(Dataset::from_npz(&path)).contains("labels is of F32; expected integers"));
    write(&path, &[("x", floats(0)?), ("y", integers(0)?)])?;
    assert!(matches!(Dataset::from_npz(&path), Err(Error::Shape { .. })));

    let packed = error(Dataset::from_npz(saved(&dir, COMPRESSED)));
    assert!(
        packed.contains("expected a file of numpy.savez (not of savez_compressed"),
        "{packed}"
    );
    let fortran = error(Dataset::from_npz(saved(&dir, FORTRAN)));
    assert!(fortran.ends_with("expected arrays in C order (in Python: numpy.ascontiguousarray)"));
    assert!(error(Dataset::from_npz("/nowhere.npz")).starts_with("/nowhere.npz: "));
    Ok(())
}

#[test]
fn a_damaged_file_of_numpy_is_an_error_never_a_panic() {
    let dir = tempdir().unwrap();
    let whole = STANDARD.decode(SAVED).unwrap();
    let path = dir.path().join("data.npz");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = error(Dataset::from_npz(&path));
        assert!(
            error.ends_with("expected a whole file of numpy.savez"),
            "{error}"
        );
    }
    // Every byte another one: read or refused, but no panic and no endless memory.
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        if let Ok(data) = Dataset::from_npz(&path) {
            assert_eq!(data.len(), 2);
        }
    }
    // Claims of more than there is, of more than can be counted, and of more than a number holds.
    let too_many = "510 bytes in all; expected as many numbers as x claims";
    for (shape, expected) in [
        ("(999999999999,), }", too_many),
        ("(9999999999, 9999999999), }", too_many),
        (
            "(99999999999999999999,), }",
            "expected a whole file of numpy.savez",
        ),
    ] {
        let bytes = claiming(&whole, shape);
        fs::write(&path, bytes).unwrap();
        let error = error(Dataset::from_npz(&path));
        assert!(error.contains(expected), "{error}");
    }
}

/// The file with another shape in the header of `x`.
fn claiming(whole: &[u8], shape: &str) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let at = whole.windows(6).position(|part| part == b"(2, 2)").unwrap();
    bytes[at..at + shape.len()].copy_from_slice(shape.as_bytes());
    bytes
}

// ----------------------------------------------------------------------------------------------------------
// idx

#[test]
fn idx_files_are_read_packed_or_not() -> Result<()> {
    let dir = tempdir().unwrap();
    let (images, labels) = (dir.path().join("images"), dir.path().join("labels"));
    let bytes = idx(&[2051, 2, 1, 3], &[0, 51, 102, 153, 204, 255]);
    for bytes in [bytes.clone(), gzipped(&bytes)] {
        fs::write(&images, bytes).unwrap();
        fs::write(&labels, gzipped(&idx(&[2049, 2], &[4, 0]))).unwrap();
        let data = Dataset::from_idx(&images, &labels)?;
        assert_eq!(data.inputs.dims(), [2, 1, 3]);
        assert_eq!(data.labels.to_vec1::<u32>()?, [4, 0]);
        assert_eq!(data.classes.len(), 5);
        close(&data.inputs, &[0., 0.2, 0.4, 0.6, 0.8, 1.])?;
    }
    // Four dimensions: a magic number that ends in 4.
    fs::write(
        &images,
        idx(&[2052, 2, 3, 1, 1], &[0, 51, 102, 153, 204, 255]),
    )
    .unwrap();
    assert_eq!(
        Dataset::from_idx(&images, &labels)?.inputs.dims(),
        [2, 3, 1, 1]
    );
    Ok(())
}

#[test]
fn bad_idx_files_are_refused() {
    let dir = tempdir().unwrap();
    let (images, labels) = (dir.path().join("images"), dir.path().join("labels"));
    fs::write(&labels, idx(&[2049, 2], &[4, 0])).unwrap();
    let whole = idx(&[2051, 2, 1, 3], &[0, 51, 102, 153, 204, 255]);
    let packed = gzipped(&whole);
    // A few bytes that unpack to a thousand times as many.
    let endless = gzipped(&[&whole[..], &vec![0; 5_000_000]].concat());
    for (bytes, expected) in [
        (
            packed[..packed.len() / 2].to_vec(),
            "expected a whole idx file",
        ),
        (
            endless,
            "at least 7 bytes; expected 2×1×3 bytes after the header",
        ),
        (
            idx(&[2051, u32::MAX, u32::MAX, u32::MAX], &[1]),
            "1 bytes; expected 4294967295×",
        ),
        (
            idx(&[2051, 3, 1, 2], &[0; 6]),
            "labels: 2 bytes; expected 3 labels, one an image",
        ),
        (
            idx(&[2051, 2, 0, 3], &[]),
            "2×0×3 bytes; expected one image or more",
        ),
        (
            idx(&[2303], &[0; 20]),
            "24 bytes; expected a header of 1024 bytes",
        ),
        (
            idx(&[2048], &[0; 20]),
            "magic number 2048; expected an idx file of bytes",
        ),
    ] {
        fs::write(&images, bytes).unwrap();
        let error = error(Dataset::from_idx(&images, &labels));
        assert!(error.contains(expected), "{error}");
    }
    for length in 0..whole.len() {
        fs::write(&images, &whole[..length]).unwrap();
        assert!(error(Dataset::from_idx(&images, &labels)).contains("images: "));
    }
    assert!(error(Dataset::from_idx("/nowhere", &labels)).starts_with("/nowhere: "));
}

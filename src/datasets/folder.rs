//! Pictures in folders, one folder for each class.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use image::{DynamicImage, ImageReader};

use super::dataset::Dataset;
use super::pixels::scaled;
use crate::device;
use crate::error::{Error, Result, first_line};
use crate::interrupt;

const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

impl Dataset {
    /// Reads the pictures below `path`: one sub-folder for each class, as torchvision's
    /// `ImageFolder`.
    ///
    /// ```text
    /// animals/cat/1.png  animals/cat/2.jpg  animals/dog/1.png
    /// ```
    ///
    /// Classes: the names of the sub-folders, in alphabetical order, hidden ones left out. Inputs:
    /// (N, C, H, W), f32 in \[0, 1\] on [`device::best`], ordered by class and file name; C is 1 for
    /// grey pictures and 3 (red, green, blue) for others; transparency is dropped, and 16 bits a
    /// channel become 8. All pictures have one size: nothing is scaled or cut. Files with another
    /// ending than `.png`, `.jpg` or `.jpeg` are left out.
    ///
    /// ```no_run
    /// use isopath::datasets::Dataset;
    ///
    /// let animals = Dataset::from_folder("animals")?.split(0.2, 0)?;
    /// # Ok::<(), isopath::Error>(())
    /// ```
    ///
    /// # Errors
    /// A folder cannot be read, there is no sub-folder or one without pictures, a picture cannot be
    /// decoded or has another shape than the first one, or the user asks to stop. The error names
    /// the file.
    pub fn from_folder(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let folders = entries(path, |entry, name| entry.is_dir() && !name.starts_with('.'))?;
        if folders.is_empty() {
            let expected = "one sub-folder for each class";
            return Err(Error::file(path, expected, "no sub-folder"));
        }
        let (mut pixels, mut labels, mut first) = (Vec::new(), Vec::new(), None);
        for (label, folder) in folders.iter().enumerate() {
            let pictures = entries(folder, |entry, _| entry.is_file() && is_picture(entry))?;
            if pictures.is_empty() {
                let expected = format!("pictures that end in {}", ENDINGS.join(", "));
                return Err(Error::file(folder, expected, "none"));
            }
            for picture in pictures {
                interrupt::check()?;
                let (shape, bytes) = decoded(&picture)?;
                let (one, size) = first.get_or_insert((picture.clone(), shape));
                if shape != *size {
                    let expected = format!("{}, as {}", in_words(*size), one.display());
                    return Err(Error::file(picture, expected, in_words(shape)));
                }
                pixels.extend(bytes);
                labels.push(label as u32);
            }
        }
        let (n, shape) = (labels.len(), first.map_or([0; 3], |(_, shape)| shape));
        let inputs = scaled(&pixels, &[&[n], &shape[..]].concat())?;
        let names = folders.iter().map(|folder| name_of(folder));
        Self::new(inputs, Tensor::from_vec(labels, n, &Device::Cpu)?)?
            .with_classes(names)?
            .to_device(&device::best())
    }
}

/// The paths in a folder that are wanted, by name.
fn entries(folder: &Path, wanted: impl Fn(&Path, &str) -> bool) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if wanted(&path, &name_of(&path)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ENDINGS
        .iter()
        .any(|known| ending.eq_ignore_ascii_case(known))
}

/// Channels, height and width of a picture, and its bytes in that order.
fn decoded(path: &Path) -> Result<([usize; 3], Vec<u8>)> {
    let broken =
        |error: image::ImageError| Error::file(path, "a whole PNG or JPEG", first_line(&error));
    // By its content: names lie.
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
    let picture = reader.map_err(Error::io(path))?.decode().map_err(broken)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if !picture.color().has_color() {
        return Ok(([1, height, width], picture.into_luma8().into_raw()));
    }
    let pixels = DynamicImage::into_rgb8(picture).into_raw();
    let planes = (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3).copied());
    Ok(([3, height, width], planes.collect()))
}

fn in_words([channels, height, width]: [usize; 3]) -> String {
    let kind = if channels == 1 { "grey" } else { "colour" };
    format!("{height}×{width} pixels in {kind}")
}

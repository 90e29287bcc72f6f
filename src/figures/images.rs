//! A grid of images, each with its caption.

use candle_core::{DType, Tensor};

use super::canvas::{Anchor, Canvas, Rect};
use super::figure::{Figure, with_note};
use super::palette::{self, Color};
use super::sheet::{MARGIN, Sheet, WIDTH};
use super::text::{Font, LABEL, Paragraph, largest, text_width};
use crate::error::{Error, Result};

const CAPTION: Font = Font::new(11., palette::INK, false);
const GAP: f64 = 12.;
const CAPTION_ROOM: f64 = 22.;

/// The way in which the numbers of an image become colours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pixels {
    /// Brightness: [0, 1] from black to white, or red, green and blue; what lies outside is
    /// clipped, as a screen would.
    #[default]
    Intensity,
    /// A difference: blue at −`limit`, white at 0, red at `limit`, the average of the channels of
    /// colour images.
    Signed {
        /// The largest difference shown, > 0.
        limit: f64,
    },
}

/// An image of 8 bits a channel, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The width in pixels.
    pub width: usize,
    /// The height in pixels.
    pub height: usize,
    /// The red, green and blue of each pixel, row by row.
    pub rgb: Vec<u8>,
}

impl Image {
    /// Makes images from a batch: (N, H, W) or (N, 1, H, W) grey, (N, 3, H, W) in colour, or the
    /// rows (N, side²) of square grey images; any float type.
    ///
    /// # Errors
    /// Another shape, a number that is NaN, or a `limit` that is not positive.
    pub fn batch(images: &Tensor, pixels: Pixels) -> Result<Vec<Self>> {
        let (height, width) = match *images.dims() {
            [_, 1 | 3, height, width] | [_, height, width] => (height, width),
            [_, area] => (area.isqrt(), area.isqrt()),
            _ => (0, 0),
        };
        let area = height * width;
        let is_square_or_given = images.rank() != 2 || images.dims()[1] == area;
        if area == 0 || !is_square_or_given {
            let expected = "(N, H, W), (N, C, H, W) with C = 1 or 3, or (N, side²); reshape the images to one of them";
            return Err(Error::shape(
                "Image::batch",
                "images",
                expected,
                images.dims(),
            ));
        }
        if let Pixels::Signed { limit } = pixels
            && !(limit.is_finite() && limit > 0.)
        {
            return Err(Error::argument("limit", "a number > 0", limit));
        }
        let rows = images
            .to_dtype(DType::F64)?
            .flatten_from(1)?
            .to_vec2::<f64>()?;
        if rows.iter().flatten().any(|value| value.is_nan()) {
            return Err(Error::argument("pixel", "a number", "NaN"));
        }
        let images = rows.iter().map(|row| {
            let rgb = colors(row, area, pixels);
            Self { width, height, rgb }
        });
        Ok(images.collect())
    }

    /// The image as a PNG file, in grey where it has no colour.
    ///
    /// # Errors
    /// `rgb` has not three bytes a pixel.
    pub fn png(&self) -> Result<Vec<u8>> {
        if self.rgb.len() != 3 * self.width * self.height || self.rgb.is_empty() {
            let expected = format!(
                "3 × {} × {} bytes, at least one pixel",
                self.height, self.width
            );
            return Err(Error::argument("size of rgb", expected, self.rgb.len()));
        }
        let grey = self
            .rgb
            .chunks_exact(3)
            .all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]);
        let bytes: Vec<u8> = if grey {
            self.rgb.iter().copied().step_by(3).collect()
        } else {
            self.rgb.clone()
        };
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width as u32, self.height as u32);
        encoder.set_color(if grey {
            png::ColorType::Grayscale
        } else {
            png::ColorType::Rgb
        });
        let figure = |error: png::EncodingError| Error::Figure(error.to_string());
        let mut writer = encoder.write_header().map_err(figure)?;
        writer.write_image_data(&bytes).map_err(figure)?;
        writer.finish().map_err(figure)?;
        Ok(file)
    }
}

/// Red, green and blue of the `area` pixels of an image given plane by plane.
fn colors(planes: &[f64], area: usize, pixels: Pixels) -> Vec<u8> {
    let channels = planes.len() / area;
    let value = |channel: usize, pixel: usize| planes[channel * area + pixel];
    (0..area)
        .flat_map(|pixel| match pixels {
            Pixels::Intensity => {
                let byte =
                    |channel: usize| (value(channel, pixel).clamp(0., 1.) * 255.).round() as u8;
                if channels == 1 {
                    [byte(0); 3]
                } else {
                    [byte(0), byte(1), byte(2)]
                }
            }
            Pixels::Signed { limit } => {
                let mean = (0..channels)
                    .map(|channel| value(channel, pixel))
                    .sum::<f64>()
                    / channels as f64;
                let Color { red, green, blue } = palette::diverging(mean / limit);
                [red, green, blue]
            }
        })
        .collect()
}

/// The verdict that a tile shows on the answer in its caption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// No verdict.
    #[default]
    None,
    /// A right answer: ✓, green.
    Right,
    /// A wrong answer: ✗, vermilion.
    Wrong,
}

impl Mark {
    /// The verdict on an answer that is right or wrong.
    pub fn of(right: bool) -> Self {
        if right { Self::Right } else { Self::Wrong }
    }

    fn sign(self) -> (&'static str, Color) {
        match self {
            Self::None => ("", palette::INK),
            Self::Right => ("✓ ", palette::RIGHT),
            Self::Wrong => ("✗ ", palette::WRONG),
        }
    }
}

/// An image with its caption, a part of an [`ImageGrid`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// The image of the tile.
    pub image: Image,
    /// The caption below the image; may be empty.
    pub caption: String,
    /// Whether the answer in the caption is right.
    pub mark: Mark,
}

/// A grid of images in rows and columns, each with its caption.
///
/// # Examples
///
/// ```
/// use isopath::candle::{DType, Device, Tensor};
/// use isopath::figures::ImageGrid;
///
/// let digits = Tensor::zeros((2, 784), DType::F32, &Device::Cpu)?;
/// let mut grid = ImageGrid { title: "Digits".into(), ..ImageGrid::default() };
/// let answers = [("a three".into(), true), ("an eight".into(), false)];
/// grid.push_answers("", &digits, &answers)?;
/// assert!(grid.figure()?.svg.contains("an eight"));
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageGrid {
    /// The title above everything; may be empty.
    pub title: String,
    /// The labels of the rows, one a row, or empty.
    pub row_labels: Vec<String>,
    /// The labels of the columns, one a column, or empty.
    pub column_labels: Vec<String>,
    /// The tiles, row by row; rows may be of different length.
    pub rows: Vec<Vec<Tile>>,
    /// The small print below everything; may be empty.
    pub note: String,
}

impl ImageGrid {
    /// Adds a row: the images of a batch (see [`Image::batch`]) with a caption and a mark for each.
    ///
    /// # Errors
    /// An error of [`Image::batch`], or captions that are not as many as the images.
    pub fn push(
        &mut self,
        label: impl Into<String>,
        images: &Tensor,
        pixels: Pixels,
        captions: &[(String, Mark)],
    ) -> Result<()> {
        let images = Image::batch(images, pixels)?;
        if captions.len() != images.len() {
            let expected = format!("{}, one an image", images.len());
            return Err(Error::argument(
                "number of captions",
                expected,
                captions.len(),
            ));
        }
        self.row_labels.resize(self.rows.len(), String::new());
        self.row_labels.push(label.into());
        let tiles = images.into_iter().zip(captions.iter().cloned());
        let tile = |(image, (caption, mark))| Tile {
            image,
            caption,
            mark,
        };
        self.rows.push(tiles.map(tile).collect());
        Ok(())
    }

    /// Adds a row of images with a network's answers as captions, each marked as right or wrong.
    ///
    /// # Errors
    ///
    /// As [`ImageGrid::push`].
    pub fn push_answers(
        &mut self,
        label: impl Into<String>,
        images: &Tensor,
        answers: &[(String, bool)],
    ) -> Result<()> {
        let captions = answers.iter();
        let captions = captions.map(|(caption, right)| (caption.clone(), Mark::of(*right)));
        let captions: Vec<_> = captions.collect();
        self.push(label, images, Pixels::Intensity, &captions)
    }

    /// Adds a row of differences of images without captions, blue at −`limit` and red at `limit`.
    ///
    /// # Errors
    ///
    /// As [`ImageGrid::push`].
    pub fn push_differences(
        &mut self,
        label: impl Into<String>,
        images: &Tensor,
        limit: f64,
    ) -> Result<()> {
        let captions =
            vec![(String::new(), Mark::None); images.dims().first().copied().unwrap_or(0)];
        self.push(label, images, Pixels::Signed { limit }, &captions)
    }

    /// Draws the grid as a figure.
    ///
    /// # Errors
    /// No image, labels that are not as many as rows or columns, or an image whose bytes do not fit
    /// its size.
    pub fn figure(&self) -> Result<Figure> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        if columns == 0 {
            return Err(Error::argument("rows", "at least one image", "empty"));
        }
        for (name, labels, count) in [
            ("number of row labels", &self.row_labels, self.rows.len()),
            ("number of column labels", &self.column_labels, columns),
        ] {
            if !labels.is_empty() && labels.len() != count {
                return Err(Error::argument(
                    name,
                    format!("{count} or none"),
                    labels.len(),
                ));
            }
        }
        let width = |tile: &Tile| match tile.caption.as_str() {
            "" => 0.,
            caption => text_width(&format!("{}{caption}", tile.mark.sign().0), CAPTION.size),
        };
        let caption_width = largest(self.rows.iter().flatten().map(width));
        // Long row labels are broken, so that the images stay large.
        let label = |label: &String| Paragraph::new(label, LABEL, 110.);
        let row_labels: Vec<Paragraph> = self.row_labels.iter().map(label).collect();
        let widest = largest(row_labels.iter().map(Paragraph::width));
        let left = MARGIN + if widest > 0. { widest + GAP } else { 0. };
        let side = ((WIDTH - left - MARGIN) / columns as f64 - GAP).clamp(24., 96.);
        let pitch = (side + GAP).max(caption_width + 10.);
        let right = MARGIN + (pitch - side).max(MARGIN);
        let width = (left + (columns - 1) as f64 * pitch + side + right).max(360.);
        let mut above = if self.title.trim().is_empty() { 0. } else { 8. };
        if !self.column_labels.is_empty() {
            above += 24.;
        }
        let rows = self.rows.iter();
        let heights = rows.map(|row| row_side(row, side) + caption_room(row) + GAP);
        let heights: Vec<f64> = heights.collect();
        let (title, note, alt) = (&self.title, &self.note, self.words());
        let size = (width, above + heights.iter().sum::<f64>());

        Sheet { title, note, alt }.draw(size, |canvas, top| {
            let center = |column: usize| left + (column as f64 + 0.5) * pitch;
            let mut y = top + above;
            for (column, label) in self.column_labels.iter().enumerate() {
                canvas.text((center(column), y - 12.), label, LABEL, Anchor::Center)?;
            }
            for (row, (tiles, height)) in self.rows.iter().zip(&heights).enumerate() {
                if let Some(label) = row_labels.get(row) {
                    let middle = y + (row_side(tiles, side) - label.height()) / 2.;
                    canvas.paragraph((MARGIN, middle), label)?;
                }
                for (column, tile) in tiles.iter().enumerate() {
                    let corner = (center(column) - side / 2., y);
                    paint(
                        canvas,
                        tile,
                        Rect::new(corner, side, tile_height(tile, side)),
                    )?;
                }
                y += height;
            }
            Ok(())
        })
    }

    /// The grid in words: every caption.
    fn words(&self) -> String {
        let title = if self.title.is_empty() {
            "Images."
        } else {
            &self.title
        };
        let mut words = title.to_string();
        for (row, tiles) in self.rows.iter().enumerate() {
            let captions = tiles
                .iter()
                .map(|tile| format!("{}{}", tile.mark.sign().0, tile.caption));
            let captions = captions.collect::<Vec<_>>().join(", ");
            let label = self.row_labels.get(row).cloned();
            let label = label.unwrap_or_else(|| format!("row {}", row + 1));
            words.push_str(&format!("\n  {label}: {captions}"));
        }
        with_note(words, &self.note)
    }
}

/// The height of a tile's image `side` pixels wide; its proportions are kept.
fn tile_height(tile: &Tile, side: f64) -> f64 {
    side * tile.image.height as f64 / tile.image.width.max(1) as f64
}

fn caption_room(tiles: &[Tile]) -> f64 {
    if tiles.iter().all(|tile| tile.caption.is_empty()) {
        0.
    } else {
        CAPTION_ROOM
    }
}

fn row_side(tiles: &[Tile], side: f64) -> f64 {
    largest(tiles.iter().map(|tile| tile_height(tile, side)))
}

fn paint(canvas: &mut Canvas, tile: &Tile, rect: Rect) -> Result<()> {
    let (sign, color) = tile.mark.sign();
    let bold = tile.mark == Mark::Wrong;
    canvas.framed(rect, &tile.image.png()?, bold)?;
    let (below, text) = (
        (rect.middle().0, rect.bottom + 14.),
        format!("{sign}{}", tile.caption),
    );
    canvas.text(
        below,
        &text,
        Font {
            color,
            bold,
            ..CAPTION
        },
        Anchor::Center,
    )
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use candle_core::Device;

    use super::super::testing::{assert_well_formed, sample};
    use super::*;

    /// A ring on black, brighter to the right.
    fn rings(n: usize, side: usize) -> Tensor {
        let pixels = (0..n * side * side).map(|i| {
            let (image, y, x) = (i / (side * side), i / side % side, i % side);
            let (dx, dy) = (x as f64 - side as f64 / 2., y as f64 - side as f64 / 2.);
            let r = (dx * dx + dy * dy).sqrt() / side as f64;
            if (r - 0.1 - 0.03 * image as f64).abs() < 0.08 {
                0.4 + 0.6 * x as f64 / side as f64
            } else {
                0.
            }
        });
        Tensor::from_vec(pixels.collect::<Vec<f64>>(), (n, side * side), &Device::Cpu).unwrap()
    }

    fn grid() -> ImageGrid {
        let clean = rings(6, 28);
        let noise = (rings(6, 28).roll(9, 1).unwrap() - 0.2).unwrap();
        let answers = |wrong: bool| -> Vec<(String, bool)> {
            (0..6)
                .map(|i| (format!("{i} · {}%", 99 - i), !wrong || i % 2 == 0))
                .collect()
        };
        let mut grid = ImageGrid {
            title: "Before & after <one> step".into(),
            column_labels: (0..6).map(|i| format!("label {i}")).collect(),
            note: "Below each image: the answer and its probability.".into(),
            ..ImageGrid::default()
        };
        grid.push_answers("clean", &clean, &answers(false)).unwrap();
        grid.push_differences("perturbation, −0.2 to 0.2", &noise, 0.8)
            .unwrap();
        grid.push_answers("attacked", &(clean + noise).unwrap(), &answers(true))
            .unwrap();
        grid
    }

    #[test]
    fn a_grid_carries_its_texts_and_is_the_same_twice() {
        let figure = grid().figure().unwrap();
        assert_well_formed(&figure);
        for text in [
            "Before &amp; after &lt;one&gt; step",
            "label 3",
            "clean",
            "✗ 1 · 98%",
            "✓ 0 · 99%",
            "image-rendering:pixelated",
        ] {
            assert!(figure.svg.contains(text), "{text}");
        }
        assert!(
            figure.alt.contains("attacked: ✓ 0 · 99%, ✗ 1 · 98%"),
            "{}",
            figure.alt
        );
        assert_eq!(figure.svg.matches("<image ").count(), 18);
        assert_eq!(figure, grid().figure().unwrap());
        sample("images", &figure);
    }

    #[test]
    fn color_images_of_any_shape() {
        let image = Tensor::rand(0f32, 1., (9, 3, 32, 32), &Device::Cpu).unwrap();
        let mut grid = ImageGrid::default();
        grid.push(
            "",
            &image,
            Pixels::Intensity,
            &vec![("cat · 55%".into(), Mark::Wrong); 9],
        )
        .unwrap();
        grid.push(
            "",
            &image.reshape((9, 3, 32, 32)).unwrap(),
            Pixels::Intensity,
            &vec![("dog".into(), Mark::Right); 9],
        )
        .unwrap();
        assert_eq!(grid.rows[0][0].image, grid.rows[1][0].image);
        let figure = grid.figure().unwrap();
        assert_well_formed(&figure);
        sample("color", &figure);
    }

    #[test]
    fn the_png_holds_the_pixels() {
        let gray = Tensor::new(&[[0f32, 0.2, 0.4, 0.6, 1., 7.]], &Device::Cpu).unwrap();
        let red = Tensor::new(&[[1f32, 0., 0., 0.5, 0., 0.]], &Device::Cpu).unwrap();
        for (tensor, size, expected) in [
            (&gray, (2, 3), vec![0u8, 51, 102, 153, 255, 255]),
            (&red, (1, 2), vec![255, 0, 0, 0, 128, 0]),
        ] {
            let grid = &mut ImageGrid::default();
            grid.push(
                "",
                &tensor.reshape((1, (), size.0, size.1)).unwrap(),
                Pixels::Intensity,
                &[(String::new(), Mark::None)],
            )
            .unwrap();
            let svg = grid.figure().unwrap().svg;
            let data = svg
                .split_once("base64,")
                .unwrap()
                .1
                .split_once('"')
                .unwrap()
                .0;
            let file = STANDARD.decode(data).unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(file))
                .read_info()
                .unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            assert_eq!((info.height as usize, info.width as usize), size);
            assert_eq!(pixels, expected);
        }
    }

    #[test]
    fn signed_pixels_show_the_sign() {
        let difference = Tensor::new(&[[[-0.1f32, 0., 0.1]]], &Device::Cpu).unwrap();
        let image = Image::batch(&difference, Pixels::Signed { limit: 0.1 })
            .unwrap()
            .remove(0);
        assert_eq!(
            image.rgb,
            [0x21, 0x66, 0xac, 255, 255, 255, 0xb2, 0x18, 0x2b]
        );
        assert!(Image::batch(&difference, Pixels::Signed { limit: 0. }).is_err());
    }

    #[test]
    fn bad_images_are_refused() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        for shape in [
            &[784][..],
            &[2, 783],
            &[2, 0],
            &[2, 2, 28, 28],
            &[2, 1, 1, 28, 28],
        ] {
            let error = Image::batch(&zeros(shape), Pixels::Intensity)
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("Image::batch: images has shape"),
                "{error}"
            );
        }
        assert!(Image::batch(&zeros(&[2, 0, 28]), Pixels::Intensity).is_err());
        let nan = Tensor::new(&[[f32::NAN]], &Device::Cpu).unwrap();
        assert_eq!(
            Image::batch(&nan, Pixels::Intensity)
                .unwrap_err()
                .to_string(),
            "pixel is NaN; expected a number"
        );
        assert!(ImageGrid::default().figure().is_err());
        assert!(
            ImageGrid::default()
                .push("", &zeros(&[2, 4]), Pixels::Intensity, &[])
                .is_err()
        );
        assert!(
            ImageGrid {
                row_labels: vec!["one".into()],
                ..grid()
            }
            .figure()
            .is_err()
        );
        let broken = Tile {
            image: Image {
                width: 2,
                height: 2,
                rgb: vec![0],
            },
            caption: String::new(),
            mark: Mark::None,
        };
        assert!(
            ImageGrid {
                rows: vec![vec![broken]],
                ..ImageGrid::default()
            }
            .figure()
            .is_err()
        );
    }
}

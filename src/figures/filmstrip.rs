//! Images along paths, with the network's answer below each.

use super::canvas::{Anchor, Canvas, Rect};
use super::figure::{Figure, with_note};
use super::images::Image;
use super::palette::{self, Color, Style};
use super::sheet::{MARGIN, Sheet, WIDTH};
use super::text::{Font, LABEL, Paragraph, largest};
use crate::error::{Error, Result};
use crate::statistics::argmax;

const LABEL_WIDTH: f64 = 110.;
const GAP: f64 = 8.;
/// The largest side of an image.
const SIDE: f64 = 84.;
const BARS: f64 = 34.;
const CAPTION_ROOM: f64 = 18.;
const ROW_GAP: f64 = 14.;
/// The class that a network gives instead of the target.
const CAPTION: Font = Font::new(10.5, palette::WRONG, true);
/// The bar of the target class, as in the *connectivity* paper's figures.
const TARGET: Color = Color::hex(0xb2182b);

/// The images of one path, with the network's probabilities for each.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// The label beside the images.
    pub label: String,
    /// The images from the path's start to its end; images and paths of other strips may be of
    /// another number.
    pub images: Vec<Image>,
    /// The probability of each class for each image, in [0, 1].
    pub probabilities: Vec<Vec<f64>>,
    /// The class that the path should not leave.
    pub target: usize,
}

/// Images along paths, a row for each path, with the network's answers below each image.
///
/// Under each image stands a bar for each class, the target's in red; an image that the network
/// gives another class is framed and captioned with that class.
///
/// Figures 2 and 3 of the *connectivity* paper look so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filmstrip {
    /// The title above everything; may be empty.
    pub title: String,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The paths, a row for each.
    pub strips: Vec<Strip>,
    /// The small print below everything; may be empty.
    pub note: String,
}

impl Strip {
    fn check(&self, classes: usize) -> Result<()> {
        let (lists, images) = (&self.probabilities, self.images.len());
        if images == 0 || images != lists.len() {
            let got = format!("{} for {images} images in {:?}", lists.len(), self.label);
            let expected = "one list for each image, at least one";
            return Err(Error::argument("number of probabilities", expected, got));
        }
        if let Some(list) = lists.iter().find(|list| list.len() != classes) {
            let expected = format!("{classes}, one for each class");
            return Err(Error::argument(
                "number of probabilities",
                expected,
                list.len(),
            ));
        }
        let is_share = |p: &&f64| (0. ..=1. + 1e-6).contains(*p);
        if let Some(p) = lists.iter().flatten().find(|p| !is_share(p)) {
            return Err(Error::argument("probability", "a number in [0, 1]", p));
        }
        if self.target >= classes {
            let expected = format!("below {classes}, the number of classes");
            return Err(Error::argument("target", expected, self.target));
        }
        Ok(())
    }
}

impl Filmstrip {
    /// Draws the strips as a figure.
    ///
    /// # Errors
    /// No strip or no class, a strip without images, probabilities that are not one for each class
    /// of each image, a target that is no class, or an image whose bytes do not fit its size.
    pub fn figure(&self) -> Result<Figure> {
        if self.strips.is_empty() || self.classes.is_empty() {
            let got = format!("{} and {}", self.strips.len(), self.classes.len());
            return Err(Error::argument(
                "number of strips and of classes",
                "at least one each",
                got,
            ));
        }
        let strips = || self.strips.iter();
        strips().try_for_each(|strip| strip.check(self.classes.len()))?;
        let frames = strips().map(|strip| strip.images.len()).max().unwrap_or(1);
        let left = MARGIN + LABEL_WIDTH;
        let pitch = ((WIDTH - left - MARGIN) / frames as f64).min(SIDE + GAP);
        let side = pitch - GAP.min(pitch / 4.);
        let row = |strip: &Strip| image_height(strip, side) + BARS + CAPTION_ROOM + ROW_GAP;
        let size = (WIDTH, 8. + strips().map(row).sum::<f64>());
        let (title, note, alt) = (&self.title, &self.note, self.words());
        Sheet { title, note, alt }.draw(size, |canvas, top| {
            let mut y = top + 8.;
            for strip in strips() {
                let height = image_height(strip, side);
                let label = Paragraph::new(&strip.label, LABEL, LABEL_WIDTH - 10.);
                canvas.paragraph((MARGIN, y + (height - label.height()) / 2.), &label)?;
                for at in 0..strip.images.len() {
                    let corner = (left + at as f64 * pitch, y);
                    self.frame(canvas, Rect::new(corner, side, height), strip, at)?;
                }
                y += row(strip);
            }
            Ok(())
        })
    }

    /// Image `at` of a strip, with its bars below.
    fn frame(&self, canvas: &mut Canvas, rect: Rect, strip: &Strip, at: usize) -> Result<()> {
        let (probabilities, target) = (&strip.probabilities[at], strip.target);
        let answer = argmax(probabilities);
        canvas.framed(rect, &strip.images[at].png()?, answer != target)?;
        let slot = rect.width() / probabilities.len() as f64;
        let foot = rect.bottom + 4. + BARS;
        for (class, p) in probabilities.iter().enumerate() {
            let left = rect.left + (class as f64 + 0.1) * slot;
            let fill = if class == target {
                TARGET
            } else {
                palette::MUTED
            };
            let height = (BARS - 2.) * p.min(1.);
            canvas.rect(Rect::new((left, foot - height), 0.8 * slot, height), fill)?;
        }
        let axis = [(rect.left, foot), (rect.right, foot)];
        canvas.path(&axis, Style::plain(palette::INK), 0.8)?;
        if answer != target {
            let (below, text) = (
                (rect.middle().0, foot + 9.),
                format!("✗ {}", self.classes[answer]),
            );
            canvas.text(below, &text, CAPTION, Anchor::Center)?;
        }
        Ok(())
    }

    /// Every image's class and probability.
    fn words(&self) -> String {
        let title = if self.title.is_empty() {
            "Images along paths."
        } else {
            &self.title
        };
        let mut words = title.to_string();
        for strip in &self.strips {
            let said = strip.probabilities.iter().map(|probabilities| {
                let answer = argmax(probabilities);
                let sign = if answer == strip.target { "" } else { "✗ " };
                format!(
                    "{sign}{} {:.0} %",
                    self.classes[answer],
                    100. * probabilities[answer]
                )
            });
            let said = said.collect::<Vec<_>>().join(", ");
            words.push_str(&format!("\n  {}: {said}", strip.label));
        }
        with_note(words, &self.note)
    }
}

/// The height of the tallest image `side` pixels wide.
fn image_height(strip: &Strip, side: f64) -> f64 {
    let height = |image: &Image| side * image.height as f64 / image.width.max(1) as f64;
    largest(strip.images.iter().map(height))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_well_formed, sample};
    use super::*;

    fn image(shade: u8) -> Image {
        Image {
            width: 8,
            height: 8,
            rgb: (0..192).map(|at| shade.wrapping_add(at)).collect(),
        }
    }

    fn strip(label: &str, wrong: bool) -> Strip {
        let probabilities = (0..10).map(|frame| {
            let mut p = vec![0.02; 10];
            let other = if wrong && (4..6).contains(&frame) {
                5
            } else {
                3
            };
            p[other] = 0.82;
            p
        });
        let images = (0..10).map(|frame| image(20 * frame)).collect();
        Strip {
            label: label.into(),
            images,
            probabilities: probabilities.collect(),
            target: 3,
        }
    }

    fn filmstrip() -> Filmstrip {
        Filmstrip {
            title: "Cat <to> cat".into(),
            classes: [
                "airplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
            ]
            .map(String::from)
            .to_vec(),
            strips: vec![strip("straight line", true), strip("band", false)],
            note: "Bars: softmax; red: the target class.".into(),
        }
    }

    #[test]
    fn wrong_images_are_marked_and_named() {
        let figure = filmstrip().figure().unwrap();
        assert_well_formed(&figure);
        assert_eq!(figure.svg.matches("<image ").count(), 20);
        assert_eq!(figure.svg.matches("✗ dog").count(), 2 + 2 * 2); // drawn, and in the words of title and label
        assert!(
            figure
                .alt
                .contains("straight line: cat 82 %, cat 82 %, cat 82 %, cat 82 %, ✗ dog 82 %"),
            "{}",
            figure.alt
        );
        assert_eq!(figure.svg.matches("#B2182B").count(), 20);
        assert_eq!(figure, filmstrip().figure().unwrap());
        sample("filmstrip", &figure);
    }

    #[test]
    fn bad_strips_are_refused() {
        let message = |change: fn(&mut Filmstrip)| {
            let mut filmstrip = filmstrip();
            change(&mut filmstrip);
            filmstrip.figure().unwrap_err().to_string()
        };
        assert_eq!(
            message(|f| f.strips.clear()),
            "number of strips and of classes is 0 and 10; expected at least one each"
        );
        assert_eq!(
            message(|f| f.strips[1].target = 10),
            "target is 10; expected below 10, the number of classes"
        );
        assert_eq!(
            message(|f| f.classes.truncate(9)),
            "number of probabilities is 10; expected 9, one for each class"
        );
        assert_eq!(
            message(|f| f.strips[0].probabilities[2][1] = f64::NAN),
            "probability is NaN; expected a number in [0, 1]"
        );
        assert!(
            message(|f| f.strips[0].images.truncate(4))
                .starts_with("number of probabilities is 10 for 4 images")
        );
        assert!(message(|f| f.strips[0].images[0].rgb.truncate(3)).starts_with("size of rgb is 3"));
    }
}

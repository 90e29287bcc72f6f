//! Figures and tables of results, shown inline in a notebook.
//!
//! Charts are plain structs with public fields: fill them in, call `figure()`, and end the cell
//! with the result, a [`Figure`] that owns its SVG; or show several in one cell, each by
//! [`display`](crate::display()). Everything is deterministic: the same values give the same bytes.
//!
//! | module | shows |
//! |---|---|
//! | [`lines`] | curves with spread, alone ([`LineChart`]) or side by side ([`Panels`]) |
//! | [`live_loss`] | a loss, drawn while a network is trained |
//! | [`bars`] | groups of bars or dots with error bars ([`BarChart`]) |
//! | [`scatter`] | points coloured by class, in the plane or in space ([`ScatterChart`], [`ScatterPanels`]) |
//! | [`histogram`] | how numbers are distributed ([`HistogramChart`], [`HistogramPanels`]) |
//! | [`images`] | a grid of images, each with its caption ([`ImageGrid`]) |
//! | [`filmstrip`] | images along paths with a network's answers ([`Filmstrip`]) |
//! | [`table`] | a table ([`Table`]) |
//! | [`palette`] | the colours and marks they share |
//! | [`results`] | the numbers themselves, as JSON |

mod arrange;
mod axes;
pub mod bars;
mod canvas;
mod figure;
pub mod filmstrip;
pub mod histogram;
pub mod images;
mod legend;
pub mod lines;
mod live;
pub mod palette;
mod plane;
pub mod results;
pub mod scatter;
mod sheet;
mod space;
mod spread;
pub mod table;
mod text;

pub use bars::{BarChart, BarSeries, BarStyle};
pub use figure::Figure;
pub use filmstrip::{Filmstrip, Strip};
pub use histogram::{HistogramChart, HistogramPanels, Sample};
pub use images::{Image, ImageGrid, Mark, Pixels, Tile};
pub use lines::{AxisScale, LineChart, Panels, Series};
pub use live::live_loss;
pub use palette::Colors;
pub use scatter::{ScatterChart, ScatterPanels, View};
pub use table::{Table, plus_minus};

#[cfg(test)]
mod testing {
    //! What every kind of figure is checked for.

    use super::Figure;

    /// Each tag closed in order, no bare `&`, alternative text present.
    pub fn assert_well_formed(figure: &Figure) {
        let svg = &figure.svg;
        assert!(
            svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"),
            "{svg}"
        );
        assert!(
            svg.contains("role=\"img\"") && svg.contains("<title>") && svg.contains("aria-label="),
            "{svg}"
        );
        assert!(!figure.alt.is_empty());
        let mut open: Vec<&str> = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').expect("a tag ends");
            for part in [tag, text] {
                for entity in part.split('&').skip(1) {
                    let name = entity.split(';').next().unwrap_or_default();
                    assert!(
                        ["amp", "lt", "gt", "quot", "apos"].contains(&name),
                        "bare & before {entity:?}"
                    );
                }
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            let name = tag.split_whitespace().next().unwrap_or_default();
            if let Some(name) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    /// Writes a sample where `ISOPATH_FIGURE_SAMPLES` names a folder, to be looked at.
    pub fn sample(name: &str, figure: &Figure) {
        if let Some(folder) = std::env::var_os("ISOPATH_FIGURE_SAMPLES") {
            figure
                .save(std::path::Path::new(&folder).join(format!("{name}.svg")))
                .expect("the sample is written");
        }
    }
}

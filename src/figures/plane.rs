//! A chart in the plane: plotters' [`ChartContext`] on two axes, with its mesh and its series.
//!
//! plotters lays out labels to the left and below without measuring them. It has no fonts here, so
//! what needs a text's width is ours: how wide the label areas are, and the legend.

use std::ops::Range;

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::cartesian::Cartesian2d;
use plotters::element::{Drawable, PointCollection, Polygon};
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::TRANSPARENT;

use super::axes::Axis;
use super::canvas::{
    Area, Canvas, Point, Rect, UNITS, clean, dashes, figure_error, fill, mark, stroke, text_style,
    units,
};
use super::palette::{Color, GRID, MUTED, REFERENCE, Style};
use super::text::{LABEL, TICK, cut};
use crate::error::Result;

/// Pixels below a plot for the x axis' labels.
pub const BELOW: f64 = 46.;
/// Pixels from the bottom of a plot to that of the x axis' name.
const NAME_BELOW: f64 = 43.;
/// Pixels that a tick's label may reach over the end of the x axis.
const BEYOND: f64 = 20.;
/// Grid lines between those that carry a number.
const FAINT: Color = Color::hex(0xf3f4f6);

/// Pixels left of a plot for the y axis' labels.
pub fn left_room(y: &Axis) -> f64 {
    y.label_width() + 8. + 16. + LABEL.size
}

/// A chart in the plane.
pub struct Plane<'a> {
    chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<Axis, Axis>>,
    picture: Area<'a>,
}

impl<'a> Plane<'a> {
    /// A chart that fills `rect`.
    pub fn new(canvas: &Canvas<'a>, rect: Rect, [mut x, y]: [Axis; 2]) -> Result<Self> {
        let (left, below) = (left_room(&y), NAME_BELOW);
        x.thin(rect.width(), BEYOND);
        let chart = ChartBuilder::on(&canvas.part(rect.grown([left, 0., 0., below])))
            .set_label_area_size(LabelAreaPosition::Left, units(left))
            .set_label_area_size(LabelAreaPosition::Bottom, units(below))
            .build_cartesian_2d(x, y)
            .map_err(figure_error)?;
        Ok(Self {
            chart,
            picture: canvas.picture(),
        })
    }

    /// Grid, numbers and names of the axes; none of the y axis where another chart's stands for it.
    pub fn mesh(&mut self, x_name: &str, y_name: Option<&str>) -> Result<()> {
        let (width, height) = self.chart.plotting_area().dim_in_pixel();
        let name = |name: &str, length: u32| {
            let room = f64::from(length) / UNITS + 2. * BEYOND;
            clean(&cut(name, LABEL.size, room))
        };
        let x_name = name(x_name, width);
        let y_name = y_name.map(|y_name| name(y_name, height));
        // A mesh for each axis, since only the x axis is drawn as a line, with ticks.
        for horizontal in [false, true] {
            let mut mesh = self.chart.configure_mesh();
            mesh.label_style(text_style(TICK));
            mesh.axis_desc_style(text_style(LABEL));
            mesh.bold_line_style(stroke(GRID, 1.));
            mesh.light_line_style(stroke(FAINT, 1.));
            if horizontal {
                mesh.disable_y_mesh().disable_y_axis();
                mesh.axis_style(stroke(MUTED, 1.));
                mesh.set_all_tick_mark_size(units(5.));
                if !x_name.is_empty() {
                    mesh.x_desc(&x_name);
                }
            } else {
                mesh.disable_x_mesh().disable_x_axis();
                mesh.axis_style(TRANSPARENT);
                mesh.set_all_tick_mark_size(units(4.));
                match y_name.as_deref() {
                    None => _ = mesh.disable_y_axis(),
                    Some("") => {}
                    Some(y_name) => _ = mesh.y_desc(y_name),
                }
            }
            mesh.draw().map_err(figure_error)?;
        }
        Ok(())
    }

    /// Draws any of plotters' series.
    pub fn draw<E>(&mut self, series: impl IntoIterator<Item = E>) -> Result<()>
    where
        for<'b> &'b E: PointCollection<'b, Point>,
        E: Drawable<SVGBackend<'a>>,
    {
        self.chart
            .draw_series(series)
            .map(drop)
            .map_err(figure_error)
    }

    /// A line through points, dashed as `style` says.
    pub fn line(&mut self, points: Vec<Point>, style: Style, width: f64) -> Result<()> {
        let line = stroke(style.color, width);
        match dashes(style.dash) {
            None => self.draw(LineSeries::new(points, line)),
            Some((on, off)) => self.draw(DashedLineSeries::new(points, on, off, line)),
        }
    }

    /// Markers of about `2 × radius` pixels with a white rim.
    pub fn marks(
        &mut self,
        points: impl IntoIterator<Item = Point>,
        style: Style,
        size: [f64; 2],
    ) -> Result<()> {
        let area = self.chart.plotting_area();
        let mut points = points.into_iter();
        points.try_for_each(|at| mark(&self.picture, area.map_coordinate(&at), style, size))
    }

    /// The region between two edges that share their x.
    pub fn band(&mut self, low: Vec<Point>, high: Vec<Point>, color: Color) -> Result<()> {
        let edge: Vec<Point> = low.into_iter().chain(high.into_iter().rev()).collect();
        self.draw([Polygon::new(edge, fill(color, 0.18))])
    }

    /// A dashed horizontal line, named in the legend.
    pub fn reference(&mut self, value: f64) -> Result<()> {
        let Range { start, end } = self.chart.as_coord_spec().get_x_range();
        self.line(vec![(start, value), (end, value)], REFERENCE, 1.2)
    }
}

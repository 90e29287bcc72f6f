//! The notebook's figures and tables.

use super::space::Space;
use super::verdicts::{Agreements, Verdicts};
use crate::display::{self, Bundle, Show};
use crate::error::Result;
use crate::experiments::connectivity::{Connections, Counts, Summary, verdict_table};
use crate::experiments::decoders::Decoders;
use crate::figures::{BarChart, BarSeries, BarStyle, Filmstrip, Panels, Strip, Table, drawn};
use crate::statistics::Proportion;

/// The paper's pairs.
const PAPER_PAIRS: usize = 25;

/// Table 1 of the paper: linear, nonlinear, none.
fn paper(space: Space) -> [usize; 3] {
    match space {
        Space::Input => [19, 6, 0],
        Space::FirstStage => [14, 11, 0],
        Space::Last => [25, 0, 0],
    }
}

impl Verdicts {
    /// Tabulates the verdicts on the first 25 pairs beside the *connectivity* paper's table 1.
    pub fn table_1(&self) -> Table {
        let spaces = self.spaces.keys().map(|space| space.title());
        let mut table = Table::new(
            format!("Table 1, {PAPER_PAIRS} pairs: ours / the paper's"),
            std::iter::once("a path exists").chain(spaces),
        );
        for (row, name) in ["linear", "nonlinear", "none found"].iter().enumerate() {
            let cell = |(space, found): (&Space, &Connections)| {
                let Counts {
                    linear,
                    nonlinear,
                    none,
                } = found.first(PAPER_PAIRS).counts();
                format!(
                    "{} / {}",
                    [linear, nonlinear, none][row],
                    paper(*space)[row]
                )
            };
            let cells = self.spaces.iter().map(cell);
            table.push(std::iter::once(name.to_string()).chain(cells));
        }
        table
    }

    /// Tabulates the shares of the three verdicts in each space with their intervals; `what` says
    /// which pairs.
    pub fn table(&self, what: &str) -> Table {
        let summary = self.summary();
        let spaces = summary.spaces.iter();
        let columns: Vec<(&str, &Summary)> =
            spaces.map(|(space, own)| (space.title(), own)).collect();
        verdict_table(format!("{} {what}", self.pairs.len()), &columns)
    }

    /// Charts the share of linearly connected pairs by class, in the spaces before the last.
    pub fn by_class(&self) -> BarChart {
        let mut chart = BarChart {
            title: "Linearly connected pairs, by class".into(),
            x_label: "class".into(),
            y_label: "share of the pairs".into(),
            style: BarStyle::Dots,
            y_range: Some((0., 1.)),
            note: "Bars: Wilson's 95 % interval.".into(),
            ..BarChart::default()
        };
        let hidden = |space: &Space| *space != Space::Last;
        for (space, found) in self.spaces.iter().filter(|(space, _)| hidden(space)) {
            let classes = found.summary().classes;
            let names = classes
                .keys()
                .map(|class| self.pairs.data.class_name(*class));
            chart.groups = names.collect();
            let mut series = BarSeries {
                name: space.title().into(),
                ..BarSeries::default()
            };
            for counts in classes.values() {
                let share = Proportion::new(counts.linear, counts.total());
                series.values.push(share.share);
                series.low.push(share.low);
                series.high.push(share.high);
            }
            chart.series.push(series);
        }
        chart
    }

    /// Shows the *connectivity* paper's figure 3 for the pair that is hardest for a line in the
    /// first stage: decoded images of the line and the band there, and of the line in the last
    /// layer.
    ///
    /// # Errors
    /// A line connects every pair in the first stage, no paths were kept, or a space is missing.
    pub fn figure_3(&self, decoders: &Decoders) -> Result<Filmstrip> {
        let hard = self.at(Space::FirstStage)?.hardest_ones(1)?[0];
        let mut all = self.at(Space::Last)?.connections.iter();
        let straight = all.find(|found| found.pair == hard.pair);
        let mut film = hard.decoded(&decoders.first_stage.decoder)?;
        name(&mut film.strips, Space::FirstStage);
        if let Some(straight) = straight {
            let mut strips = straight.decoded(&decoders.last.decoder)?.strips;
            name(&mut strips, Space::Last);
            film.strips.extend(strips);
        }
        film.title = "Figure 3: decoded points of paths in hidden spaces".into();
        film.note =
            "Images: decoded. Bars: the network's probabilities at the hidden points.".into();
        Ok(film)
    }

    /// Charts the energy along line and band of the `count` hardest pairs in each of some spaces.
    ///
    /// # Errors
    /// The experiment did not run in one of the spaces.
    pub fn profiles(&self, spaces: &[Space], count: usize) -> Result<Panels> {
        let mut charts = Vec::new();
        for space in spaces {
            let found = self.at(*space)?;
            for (connection, mut chart) in found.hardest(count).iter().zip(found.profiles(count)) {
                chart.title = format!("{}, in {}", connection.class(), in_words(*space));
                chart.y_label = "cross-entropy".into();
                charts.push(chart);
            }
        }
        Ok(Panels {
            title: "The energy before and after".into(),
            columns: 2,
            charts,
            note: "The highest barriers of the pairs whose paths were kept.".into(),
        })
    }
}

/// Strips named by their space, as in "cat, first stage: line".
fn name(strips: &mut [Strip], space: Space) {
    for strip in strips {
        strip.label = strip
            .label
            .replacen(", ", &format!(", {}: ", space.title()), 1);
    }
}

/// A space after "in".
fn in_words(space: Space) -> String {
    match space {
        Space::Input => "pixels".into(),
        hidden => format!("the {}", hidden.title()),
    }
}

/// Shown as the table of the shares of the verdicts in all spaces.
impl Show for Verdicts {
    fn bundle(&self) -> Bundle {
        self.table("pairs in each space: share, Wilson's 95 % interval")
            .bundle()
    }
}

impl Verdicts {
    /// Shows the table as the value of a cell.
    pub fn evcxr_display(&self) {
        display::value(self);
    }
}

impl Agreements {
    /// Tabulates how many pairs each of the two networks connects by a line, and how far they
    /// agree.
    pub fn table(&self) -> Table {
        let pairs = self.spaces.values().next().map_or(0, |first| first.total());
        let mut table = Table::new(
            format!("{pairs} pairs: which network connects them by a line"),
            [
                "",
                "both",
                "only the first",
                "only the second",
                "neither",
                "by chance",
                "φ",
                "by a band",
            ],
        );
        for (space, found) in &self.spaces {
            table.push([
                space.title().to_string(),
                found.both.to_string(),
                found.only_first.to_string(),
                found.only_second.to_string(),
                found.neither.to_string(),
                format!("{:.0}", found.both_by_chance()),
                format!("{:.2}", found.phi()),
                found.nonlinear.map(|count| count.to_string()).join(" and "),
            ]);
        }
        table
    }
}

drawn!(table: Agreements);

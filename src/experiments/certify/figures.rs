//! Tables of exact verdicts beside those of the samples.

use super::record::{Asked, ExactRecord, ExactVerdict, PathKind, Place};
use super::records::ExactRecords;
use crate::experiments::connectivity_cifar10::Space;
use crate::figures::{Table, drawn};
use crate::statistics::median;

drawn!(table: ExactRecords);

impl ExactRecords {
    /// Tabulates the verdicts by space: how many paths are inside by their samples, and how many at
    /// every point.
    pub fn table(&self) -> Table {
        let caption = format!("{} paths: samples, and every point", self.records.len());
        let mut table = Table::new(
            caption,
            [
                "paths",
                "number",
                "inside by samples",
                "inside",
                "smallest margin of samples",
                "smallest margin",
                "pieces (median)",
                "largest residual",
            ],
        );
        for (name, own) in self.groups() {
            let exact = || own.iter().filter_map(|record| record.exact.as_ref());
            let smallest = |margins: &mut dyn Iterator<Item = f64>| {
                margin(margins.fold(f64::INFINITY, f64::min))
            };
            let pieces: Vec<f64> = exact().map(|exact| exact.pieces as f64).collect();
            let residual = exact().map(|exact| exact.residual).fold(0., f64::max);
            let sampled = own.iter().map(|record| record.sampled);
            table.push([
                name,
                own.len().to_string(),
                sampled
                    .clone()
                    .filter(|sampled| sampled.inside)
                    .count()
                    .to_string(),
                exact().filter(|exact| exact.inside).count().to_string(),
                smallest(&mut sampled.map(|sampled| sampled.smallest_margin)),
                smallest(&mut exact().map(|exact| exact.smallest_margin)),
                median(&pieces).map_or("–".into(), |pieces| format!("{pieces:.0}")),
                format!("{residual:.0e}"),
            ]);
        }
        table
    }

    /// Tabulates every path, with its smallest margins and the place of the smaller one.
    pub fn paths(&self) -> Table {
        let mut table = Table::new(
            "Every path",
            [
                "class",
                "images",
                "space",
                "path",
                "verdict",
                "smallest margin of samples",
                "smallest margin",
                "at t",
                "pieces",
                "time",
            ],
        );
        for record in &self.records {
            let ([i, j], exact) = (record.test_index, record.exact.as_ref());
            let of = |value: fn(&ExactVerdict) -> String| exact.map_or("–".into(), value);
            table.push([
                record.class_name.clone(),
                format!("{i}, {j}"),
                record.space.title().to_string(),
                path(record.path).to_string(),
                record.verdict().to_string(),
                margin(record.sampled.smallest_margin),
                of(|exact| margin(exact.smallest_margin)),
                of(|exact| format!("{:.4}", exact.at.t)),
                of(|exact| exact.pieces.to_string()),
                of(|exact| time(exact.seconds)),
            ]);
        }
        table
    }

    /// The records of each kind and space, lines and bands apart.
    fn groups(&self) -> Vec<(String, Vec<&ExactRecord>)> {
        let mut groups: Vec<(String, Vec<&ExactRecord>)> = Vec::new();
        for space in Space::ALL {
            for record in self.records.iter().filter(|record| record.space == space) {
                let name = match record.settings {
                    Asked::Pairs { .. } => {
                        format!("pairs, {}: {}", space.title(), path(record.path))
                    }
                    Asked::Tree { .. } => {
                        format!("tree of {}, {}", record.class_name, space.title())
                    }
                };
                match groups.iter_mut().find(|(own, _)| *own == name) {
                    Some((_, own)) => own.push(record),
                    None => groups.push((name, vec![record])),
                }
            }
        }
        groups
    }
}

impl ExactRecord {
    /// The exact verdict in words.
    pub fn verdict(&self) -> &'static str {
        match &self.exact {
            None => "no path",
            Some(exact) if exact.inside => "inside",
            Some(_) => "outside",
        }
    }
}

/// Writes the record in a line: `cat 12 and 34, pixels, line: inside, …`.
impl std::fmt::Display for ExactRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ([i, j], space) = (self.test_index, self.space.title());
        let (class, path, verdict) = (&self.class_name, path(self.path), self.verdict());
        write!(f, "{class} {i} and {j}, {space}, {path}: {verdict}")?;
        let Some(exact) = &self.exact else {
            return Ok(());
        };
        let place = |place: &Place| format!("t = {:.6}", place.t);
        if let Some(witness) = &exact.witness {
            write!(f, " at {}", place(witness))?;
        }
        write!(
            f,
            ", smallest margin {} at {} (of {} samples {}), {} pieces, residual {:.0e}, {}",
            margin(exact.smallest_margin),
            place(&exact.at),
            self.sampled.samples,
            margin(self.sampled.smallest_margin),
            exact.pieces,
            exact.residual,
            time(exact.seconds),
        )
    }
}

fn path(path: PathKind) -> &'static str {
    match path {
        PathKind::Line => "line",
        PathKind::Band => "band",
        PathKind::None => "none",
    }
}

fn time(seconds: f64) -> String {
    match seconds < 60. {
        true => format!("{seconds:.1} s"),
        false => format!("{:.1} min", seconds / 60.),
    }
}

fn margin(margin: f64) -> String {
    match margin.is_finite() {
        true => format!("{margin:.4}"),
        false => "–".into(),
    }
}

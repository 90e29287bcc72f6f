//! Segments of MLPs that are proved, beside what samples say.

use serde::{Deserialize, Serialize};

use super::graphs::right_ones;
use super::random::random_pairs;
use super::settings::IsometricSettings;
use crate::datasets::Dataset;
use crate::error::Result;
use crate::figures::{Table, drawn};
use crate::interrupt;
use crate::lipschitz::margin_constant;
use crate::metrics::{accuracy_of, predictions};
use crate::models::{Network, Representation, evaluation};
use crate::paths::certify::Verdict;
use crate::paths::regions::segments;
use crate::paths::{CertifyParams, LipschitzCertifyParams, certify_segments, lipschitz_certify};
use crate::progress::Progress;
use crate::rng::Rng;
use crate::statistics::Proportion;

/// The verdicts on segments between random images of a class, of one network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProvedRow {
    /// The network.
    pub name: String,
    /// Its accuracy on the images.
    pub accuracy: f64,
    /// The number of segments.
    pub pairs: usize,
    /// How many of them have all samples inside.
    pub sampled: usize,
    /// How many are proved to be inside, rounding included.
    pub proved: usize,
    /// How many have a point outside.
    pub refuted: usize,
    /// How many are neither at the limit.
    pub undecided: usize,
    /// How many have all samples inside, and a point outside all the same.
    pub overlooked: usize,
    /// The mean number of parts that a proof cut a segment into.
    pub parts: f64,
    /// The time of the proofs.
    pub seconds: f64,
    /// Of the first [`IsometricSettings::lipschitz_pairs`] segments of each class, how many fifty
    /// samples and the network's Lipschitz constant prove.
    pub lipschitz: Proportion,
}

/// The verdicts on several networks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proved {
    /// A row for each network.
    pub rows: Vec<ProvedRow>,
}

drawn!(table: Proved);

/// Samples that a Lipschitz constant makes a proof of.
const LIPSCHITZ_PARTS: usize = 50;

impl Proved {
    /// Looks at segments between random images of each class that a network gets right, in pixels:
    /// [`IsometricSettings::proved_pairs`] for each class of the first
    /// [`IsometricSettings::test_images`].
    ///
    /// # Errors
    /// No test image, or what [`segments`] and [`certify_segments`] refuse: a network that is not an
    /// MLP with tanh or ReLU.
    pub fn push(
        &mut self,
        name: impl Into<String>,
        network: &dyn Network,
        test: &Dataset,
        settings: &IsometricSettings,
    ) -> Result<()> {
        let test = test.first(settings.test_images)?;
        let network = evaluation(network)?;
        let answers = predictions(network.as_ref(), &test.inputs)?;
        let rng = Rng::new(settings.seed).stream("proved pairs");
        let mut row = ProvedRow {
            name: name.into(),
            accuracy: accuracy_of(&answers, &test)?,
            pairs: 0,
            sampled: 0,
            proved: 0,
            refuted: 0,
            undecided: 0,
            overlooked: 0,
            parts: 0.,
            seconds: 0.,
            lipschitz: Proportion::new(0, 0),
        };
        let (mut parts, mut by_constant, mut tried) = (0, 0, 0);
        for (class, images) in &right_ones(&test, &answers)? {
            let pairs = random_pairs(images.len(), settings.proved_pairs, &rng, *class)?;
            if pairs.is_empty() {
                continue;
            }
            let points = test.select(images)?.inputs;
            let input = Representation::Input;
            let sampled = segments(network.as_ref(), input, &points, &pairs, settings.samples)?;
            let params = CertifyParams {
                progress: Progress::Hidden,
                ..CertifyParams::default()
            };
            let start = std::time::Instant::now();
            let classes = vec![*class; pairs.len()];
            let proofs = certify_segments(network.as_ref(), &points, &pairs, &classes, &params)?;
            row.seconds += start.elapsed().as_secs_f64();
            row.pairs += pairs.len();
            for (sampled, proof) in sampled.segments.iter().zip(&proofs) {
                row.sampled += usize::from(sampled.holds);
                parts += proof.parts;
                match proof.verdict {
                    Verdict::Proved => row.proved += 1,
                    Verdict::Refuted => row.refuted += 1,
                    Verdict::Undecided => row.undecided += 1,
                }
                let refuted = proof.verdict == Verdict::Refuted;
                row.overlooked += usize::from(sampled.holds && refuted);
            }
            // Once for all segments of the class.
            let constant = margin_constant(network.as_ref(), input, *class)?;
            let params = LipschitzCertifyParams {
                constant: Some(constant),
                parts: LIPSCHITZ_PARTS,
                max_parts: LIPSCHITZ_PARTS,
                ..LipschitzCertifyParams::default()
            };
            for [i, j] in pairs.iter().take(settings.lipschitz_pairs) {
                interrupt::check()?;
                let [start, end] = [points.narrow(0, *i, 1)?, points.narrow(0, *j, 1)?];
                let found = lipschitz_certify(network.as_ref(), *class, &start, &end, &params)?;
                by_constant += usize::from(found.is_proved());
                tried += 1;
            }
        }
        row.parts = parts as f64 / row.pairs as f64;
        row.lipschitz = Proportion::new(by_constant, tried);
        self.rows.push(row);
        Ok(())
    }

    /// Tabulates the networks.
    pub fn table(&self) -> Table {
        let columns = [
            "network",
            "accuracy",
            "segments",
            "inside by samples",
            "proved inside",
            "a point outside",
            "undecided",
            "samples were wrong",
            "ms a segment",
            "by 50 samples",
        ];
        let mut table = Table::new(
            "Segments between random images of a class, in pixels",
            columns,
        );
        for row in &self.rows {
            table.push([
                row.name.clone(),
                format!("{:.4}", row.accuracy),
                row.pairs.to_string(),
                row.sampled.to_string(),
                row.proved.to_string(),
                row.refuted.to_string(),
                row.undecided.to_string(),
                row.overlooked.to_string(),
                format!("{:.2}", row.seconds * 1e3 / row.pairs as f64),
                format!("{} of {}", row.lipschitz.count, row.lipschitz.of),
            ]);
        }
        table
    }
}

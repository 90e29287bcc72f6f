//! The paths that are asked for.

use std::sync::Arc;

use candle_core::Tensor;

use super::record::{PathKind, Sampled};
use super::settings::{Paths, Settings};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::experiments::connectivity::{ConnectParams, Pair, Pairs, choose_pairs, connect_pairs};
use crate::experiments::connectivity_cifar10::Space;
use crate::experiments::connectivity_regions::right_ones;
use crate::metrics::predictions;
use crate::models::{Enlarged, Network};
use crate::paths::regions::Edge;
use crate::paths::{Profile, RegionsParams, Verdict, regions};
use crate::progress::Progress;

/// Images that go through the first layers together.
const TOGETHER: usize = 100;

/// A path that is asked for.
pub(super) struct Job {
    pub space: Space,
    /// The place among the paths in its space.
    pub number: usize,
    pub pair: Pair,
    /// The edge of a tree.
    edge: Option<Edge>,
}

/// A path with what its samples say.
pub(super) struct Found {
    pub kind: PathKind,
    /// The points (N, …); none where no path was found.
    pub points: Option<Tensor>,
    pub sampled: Sampled,
}

/// All paths, those of one place in all spaces one after another.
///
/// # Errors
/// Fewer pairs than that, or a class that there is not or that the network never gets right.
pub(super) fn jobs(
    network: &Arc<dyn Network>,
    data: &Dataset,
    settings: &Settings,
) -> Result<Vec<Job>> {
    let classifier = Enlarged {
        network: Arc::clone(network),
        side: settings.connect.side,
    };
    let answers = predictions(&classifier, &data.inputs)?;
    let mut all: Vec<Job> = Vec::new();
    match &settings.paths {
        Paths::Pairs => {
            let pairs = choose_pairs(data, &[&answers], settings.count, settings.connect.seed)?;
            for (number, pair) in pairs.pairs.iter().enumerate() {
                all.extend(settings.spaces.iter().map(|space| Job {
                    space: *space,
                    number,
                    pair: *pair,
                    edge: None,
                }));
            }
        }
        Paths::Tree(name) => {
            let (class, right) = right_of_class(data, &answers, name)?;
            for space in &settings.spaces {
                let edges = tree(network.as_ref(), data, (class, &right), (*space, settings))?;
                let own = edges.into_iter().take(settings.count).enumerate();
                all.extend(own.map(|(number, edge)| Job {
                    space: *space,
                    number,
                    pair: Pair {
                        class,
                        index: edge.ends.map(|end| right[end]),
                    },
                    edge: Some(edge),
                }));
            }
            all.sort_by_key(|job| job.number);
        }
    }
    Ok(all)
}

/// The number of a class, and the images of it that the network gets right.
fn right_of_class(data: &Dataset, answers: &Tensor, name: &str) -> Result<(u32, Vec<usize>)> {
    // Says which classes there are.
    data.of_class(name)?;
    let class = (0..data.classes.len() as u32).find(|class| data.class_name(*class) == name);
    let class = class.unwrap_or_default();
    let right = right_ones(data, answers)?
        .remove(&class)
        .unwrap_or_default();
    match right.len() {
        0 | 1 => {
            let expected = format!("at least 2 that the network calls {name}");
            let got = format!("{} images", right.len());
            Err(Error::argument("class of the tree", expected, got))
        }
        _ => Ok((class, right)),
    }
}

/// The edges of the spanning forest of some images, the shortest first.
fn tree(
    network: &dyn Network,
    data: &Dataset,
    (class, images): (u32, &[usize]),
    (space, settings): (Space, &Settings),
) -> Result<Vec<Edge>> {
    let representation = space.representation();
    let points = images.chunks(TOGETHER).map(|rows| {
        let rows: Vec<Pair> = rows
            .iter()
            .map(|row| Pair {
                class,
                index: [*row; 2],
            })
            .collect();
        let [points, _] = Pairs::ends_of(data, &rows, Some(settings.connect.side))?;
        representation.of(network, &points)
    });
    let points = Tensor::cat(&points.collect::<Result<Vec<_>>>()?, 0)?;
    let params = RegionsParams {
        bands: None,
        progress: settings.progress.clone(),
        ..settings.regions.clone()
    };
    let mut edges = regions(network, representation, &points, class, &params)?.edges;
    edges.sort_by(|a, b| a.length.total_cmp(&b.length).then(a.ends.cmp(&b.ends)));
    Ok(edges)
}

impl Job {
    /// The line or band of a pair.
    pub fn of_pair(space: Space, number: usize, pair: Pair) -> Self {
        Self {
            space,
            number,
            pair,
            edge: None,
        }
    }

    /// The path that the samples accept.
    ///
    /// # Errors
    /// The network does not give both images the class.
    pub fn path(
        &self,
        network: &dyn Network,
        data: &Dataset,
        settings: &Settings,
    ) -> Result<Found> {
        let representation = self.space.representation();
        if let Some(edge) = &self.edge {
            let side = Some(settings.connect.side);
            let [start, end] = Pairs::ends_of(data, &[self.pair], side)?;
            let ends = Tensor::cat(&[start, end], 0)?;
            return Ok(Found {
                kind: PathKind::Line,
                points: Some(representation.of(network, &ends)?),
                sampled: Sampled {
                    inside: edge.margin > 0.,
                    samples: settings.regions.samples + 1,
                    smallest_margin: edge.margin,
                },
            });
        }
        let pair = Pairs {
            data: data.clone(),
            pairs: vec![self.pair],
        };
        let params = ConnectParams {
            kept_paths: 1,
            progress: Progress::Hidden,
            ..settings.connect.params(self.space)
        };
        let connections = connect_pairs(network, &pair, representation, &params)?.connections;
        let Some(found) = connections.first() else {
            return Err(Error::argument("pairs", "at least one", "none"));
        };
        let points = &found.shown()?.info.path;
        let last = points.dim(0)?.saturating_sub(1);
        let sampled = |profile: &Profile| Sampled {
            inside: profile.is_connected(),
            samples: profile.margin.len(),
            smallest_margin: profile.margin(),
        };
        Ok(match found.verdict {
            Verdict::Linear => Found {
                kind: PathKind::Line,
                points: Some(Tensor::cat(
                    &[points.narrow(0, 0, 1)?, points.narrow(0, last, 1)?],
                    0,
                )?),
                sampled: sampled(&found.line),
            },
            Verdict::Nonlinear => Found {
                kind: PathKind::Band,
                points: Some(points.clone()),
                sampled: sampled(&found.path),
            },
            Verdict::NoneFound => Found {
                kind: PathKind::None,
                points: None,
                sampled: sampled(&found.path),
            },
        })
    }
}

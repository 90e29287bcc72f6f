//! The settings of the audit's trainings.

use std::path::PathBuf;

use super::method::Method;
use crate::error::{Error, Result};
use crate::losses::Partition;
use crate::progress::Progress;
use crate::scale::Scale;
use crate::training::Schedule;

/// The settings of the trainings: the methods with their epochs, and what all have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The methods, each with its number of epochs: as many as it takes to converge.
    pub methods: Vec<(Method, usize)>,
    /// The seeds, one network of every method for each.
    pub seeds: Vec<u64>,
    /// The sizes of the layers, the input's first; tanh between them.
    pub sizes: Vec<usize>,
    /// The batch size: 100, as in the *isometry* paper.
    pub batch_size: usize,
    /// The learning rate of Adam: 1e-3.
    pub learning_rate: f64,
    /// What becomes of the learning rate: it stays for 3 of 10 steps, then falls to 0 along a cosine,
    /// so that the last epochs change little.
    pub schedule: Schedule,
    /// The number of steps, of ε/4 each, that attack a batch in training: 10.
    pub attack_steps: usize,
    /// The number of test images for the accuracy, from the first on.
    pub test_images: usize,
    /// The folder where each training keeps its run after every epoch, to continue from; none by
    /// default.
    pub runs: Option<PathBuf>,
    /// Whether a progress bar shows how far the trainings have come.
    pub progress: Progress,
}

impl Settings {
    /// The settings at a scale.
    ///
    /// `quick`: plain, isometric and adversarial, one epoch, one seed, 1,000 test images. `default`:
    /// every method once, three seeds, the networks that the repository
    /// [holds](super::load_pretrained). `paper`: more weights of each method, three seeds.
    pub fn of(scale: Scale) -> Self {
        Self {
            methods: scale.pick(quick(), default(), paper()),
            seeds: (0..scale.pick(1, 3, 3)).collect(),
            sizes: vec![784, 100, 100, 100, 100, 10],
            batch_size: 100,
            learning_rate: 1e-3,
            schedule: Schedule::OneCycle {
                warm_up: 0.3,
                start: 1.,
                end: 0.,
            },
            attack_steps: scale.pick(5, 10, 10),
            test_images: scale.pick(1_000, 10_000, 10_000),
            runs: None,
            progress: Progress::default(),
        }
    }

    /// The number of epochs of a method.
    ///
    /// # Errors
    /// The method is not among [`Settings::methods`].
    pub fn epochs(&self, method: &Method) -> Result<usize> {
        let own = self.methods.iter().find(|(other, _)| other == method);
        own.map(|(_, epochs)| *epochs).ok_or_else(|| {
            let names = self.methods.iter().map(|(method, _)| method.to_string());
            let expected = format!("one of {}", names.collect::<Vec<_>>().join("; "));
            Error::argument("method", expected, method)
        })
    }
}

/// The radius of the attacks in training, pixel units.
const EPS: f64 = 0.1;

fn quick() -> Vec<(Method, usize)> {
    let methods = [
        Method::Plain,
        Method::isometric(1.),
        Method::Adversarial { eps: EPS },
    ];
    methods.map(|method| (method, 1)).to_vec()
}

/// The slowest learners, whose layers stretch nothing, get most epochs.
fn default() -> Vec<(Method, usize)> {
    vec![
        (Method::Plain, 20),
        (Method::isometric(1.), 20),
        (
            Method::Isometric {
                beta: 1.,
                scale: 10.,
                partition: Partition::Local,
            },
            20,
        ),
        (
            Method::Isometric {
                beta: 1.,
                scale: 1.,
                partition: Partition::Global,
            },
            20,
        ),
        (Method::Jacobian { lambda: 0.1 }, 20),
        (Method::Spectral { constant: 1. }, 40),
        (Method::AlmostOrthogonal, 40),
        (Method::Adversarial { eps: EPS }, 15),
        (Method::Trades { beta: 6., eps: EPS }, 15),
        (Method::AdversarialIsometric { eps: EPS, beta: 1. }, 15),
    ]
}

fn paper() -> Vec<(Method, usize)> {
    let mut methods = vec![(Method::Plain, 20)];
    for partition in [Partition::Local, Partition::Global] {
        for (beta, scale) in [(0.1, 1.), (1., 1.), (10., 1.), (1., 10.)] {
            let isometric = Method::Isometric {
                beta,
                scale,
                partition,
            };
            methods.push((isometric, 20));
        }
    }
    for lambda in [0.01, 0.1, 1.] {
        methods.push((Method::Jacobian { lambda }, 20));
    }
    for constant in [1., 2.] {
        methods.push((Method::Spectral { constant }, 40));
    }
    methods.push((Method::AlmostOrthogonal, 40));
    for eps in [0.1, 0.2] {
        methods.push((Method::Adversarial { eps }, 40));
        methods.push((Method::Trades { beta: 6., eps }, 40));
        for beta in [0.1, 1.] {
            methods.push((Method::AdversarialIsometric { eps, beta }, 40));
        }
    }
    methods
}

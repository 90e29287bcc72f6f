//! One experiment at several values of a parameter, each with several seeds.

use std::fmt::{Debug, Display};
use std::path::Path;

use crate::error::{Error, Result};
use crate::models::Model;
use crate::progress::Progress;
use crate::training::{Status, in_parallel};

/// The results of an experiment for every value of a parameter and every seed, in the order in
/// which they were asked for.
///
/// # Examples
///
/// ```
/// use isopath::experiments::cases;
/// use isopath::prelude::*;
///
/// let cases = cases(&[1., 2.], &[0, 1, 2])?;
/// let words = |_: &f64, drawn: &f64| format!("{drawn:.1}");
/// let sweep = Sweep::train(&cases, &Progress::Hidden, words, |width, seed, _| {
///     let draw = Rng::new(seed).uniform(1, 0., *width, DType::F64, &Device::Cpu)?;
///     Ok(draw.sum_all()?.to_scalar::<f64>()?)
/// })?;
/// assert_eq!((sweep.parameters(), sweep.seeds()), (vec![1., 2.], vec![0, 1, 2]));
/// assert_eq!(*sweep.get(&2., 1)?, 2. * sweep.get(&1., 1)?);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sweep<P, T> {
    /// The runs, parameter by parameter, and for each parameter seed by seed.
    pub runs: Vec<Run<P, T>>,
}

/// One run of an experiment: the result for one parameter and one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Run<P, T> {
    /// The value of the parameter.
    pub parameter: P,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// The result of the run.
    pub result: T,
}

/// Pairs every value of a parameter with every seed.
///
/// # Errors
/// No parameter, or no seed.
pub fn cases<P: Clone>(parameters: &[P], seeds: &[u64]) -> Result<Vec<(P, u64)>> {
    if parameters.is_empty() || seeds.is_empty() {
        let got = format!("{} and {}", parameters.len(), seeds.len());
        return Err(Error::argument(
            "number of parameters and of seeds",
            "at least one of each",
            got,
        ));
    }
    let of = |parameter: &P| {
        let parameter = parameter.clone();
        seeds.iter().map(move |seed| (parameter.clone(), *seed))
    };
    Ok(parameters.iter().flat_map(of).collect())
}

impl<P: Clone + PartialEq + Display, T> Sweep<P, T> {
    /// Runs an experiment for every case, as many at once as there are processors. The number of
    /// processors does not change the results.
    ///
    /// `train` gets the parameter, the seed and a function to call with the state of the training;
    /// `words` gives the text that the progress bar shows for a parameter and its result.
    ///
    /// # Errors
    ///
    /// The first error in the order of the cases.
    pub fn train(
        cases: &[(P, u64)],
        progress: &Progress,
        words: impl Fn(&P, &T) -> String + Sync,
        train: impl Fn(&P, u64, &mut dyn FnMut(&Status)) -> Result<T> + Sync,
    ) -> Result<Self>
    where
        P: Sync,
        T: Send,
    {
        let bar = progress.bar("training").of(cases.len(), "networks");
        let results = in_parallel(cases, |(parameter, seed)| {
            let mut part = bar.part();
            let result = train(parameter, *seed, &mut |status| part.set(status.share()))?;
            part.finish(format!("seed {seed}, {}", words(parameter, &result)));
            Ok(result)
        })?;
        let runs = cases.iter().zip(results);
        let run = |((parameter, seed), result): (&(P, u64), T)| Run {
            parameter: parameter.clone(),
            seed: *seed,
            result,
        };
        Ok(Self {
            runs: runs.map(run).collect(),
        })
    }

    /// The values of the parameter, each once.
    pub fn parameters(&self) -> Vec<P> {
        let mut parameters: Vec<P> = Vec::new();
        for run in &self.runs {
            if !parameters.contains(&run.parameter) {
                parameters.push(run.parameter.clone());
            }
        }
        parameters
    }

    /// The seeds, each once.
    pub fn seeds(&self) -> Vec<u64> {
        let mut seeds: Vec<u64> = Vec::new();
        for run in &self.runs {
            if !seeds.contains(&run.seed) {
                seeds.push(run.seed);
            }
        }
        seeds
    }

    /// The results at one value of the parameter, seed by seed.
    pub fn at(&self, parameter: &P) -> Vec<&T> {
        let own = self.runs.iter().filter(|run| run.parameter == *parameter);
        own.map(|run| &run.result).collect()
    }

    /// The result for one value of the parameter and one seed.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, parameter: &P, seed: u64) -> Result<&T> {
        let own = |run: &&Run<P, T>| run.parameter == *parameter && run.seed == seed;
        let run = self.runs.iter().find(own);
        run.map(|run| &run.result).ok_or_else(|| {
            let all = self
                .runs
                .iter()
                .map(|run| format!("{} with {}", run.parameter, run.seed));
            let expected = format!("one of {}", all.collect::<Vec<_>>().join(", "));
            Error::argument(
                "parameter and seed",
                expected,
                format!("{parameter} with {seed}"),
            )
        })
    }

    /// The results of the first seed alone, one for each value of the parameter.
    pub fn first_seed(&self) -> Self
    where
        T: Clone,
    {
        let first = |parameter: P| {
            let run = self.runs.iter().find(|run| run.parameter == parameter);
            run.cloned()
        };
        Self {
            runs: self.parameters().into_iter().filter_map(first).collect(),
        }
    }

    /// One number of every result: a list for each value of the parameter, seed by seed.
    pub fn values(&self, value: impl Fn(&T) -> f64) -> Vec<Vec<f64>> {
        let of = |parameter: &P| self.at(parameter).into_iter().map(&value).collect();
        self.parameters().iter().map(of).collect()
    }
}

impl<P: Debug, T> Sweep<P, T> {
    /// Writes the weights of every run to `folder`, each file named by `name`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save<N>(
        &self,
        folder: &Path,
        model: impl Fn(&T) -> &Model<N>,
        name: impl Fn(&P, u64) -> String,
    ) -> Result<()> {
        self.runs.iter().try_for_each(|run| {
            let file = format!("{}.safetensors", name(&run.parameter, run.seed));
            model(&run.result).save(folder.join(file))
        })
    }
}

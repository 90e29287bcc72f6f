//! What becomes of the inputs that do not fill the last batch of an epoch, above all of one alone,
//! which a batch normalisation cannot take.

mod common;

use std::sync::{Arc, Mutex};

use candle_nn::{self as nn, Init, Linear, VarBuilder};
use common::{CPU, build, message, observer, weights};
use isopath::Result;
use isopath::candle::{DType, Module as _, Tensor, Var};
use isopath::datasets::Dataset;
use isopath::losses::CrossEntropy;
use isopath::metrics::accuracy;
use isopath::models::{Model, Network};
use isopath::ops::{batch_norm, batch_norm_eval};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::training::{History, LastBatch, Status, TrainParams, train};

/// A linear layer, its features normalised over the batch, and another.
#[derive(Clone)]
struct Normed {
    hidden: Linear,
    gamma: Tensor,
    beta: Tensor,
    running: [Var; 2],
    output: Linear,
    is_training: bool,
}

impl Normed {
    fn new(vb: VarBuilder) -> Result<Self> {
        let vector = |name: &str, value| vb.get_with_hints(8, name, Init::Const(value));
        let running = |name: &str, value| Var::from_tensor(&vector(name, value)?);
        Ok(Self {
            hidden: nn::linear(2, 8, vb.pp("hidden"))?,
            gamma: vector("gamma", 1.)?,
            beta: vector("beta", 0.)?,
            running: [running("mean", 0.)?, running("variance", 1.)?],
            output: nn::linear(8, 2, vb.pp("output"))?,
            is_training: true,
        })
    }
}

impl Network for Normed {
    fn stages(&self) -> usize {
        2
    }

    fn is_training(&self) -> bool {
        self.is_training
    }

    fn frozen(&self) -> Result<Arc<dyn Network>> {
        Ok(Arc::new(Self {
            is_training: false,
            ..self.clone()
        }))
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        if index > 0 {
            return Ok(self.output.forward(x)?);
        }
        let x = self.hidden.forward(x)?.unsqueeze(2)?.unsqueeze(3)?;
        let [mean, variance] = &self.running;
        let y = if self.is_training {
            let normal = batch_norm(&x, &self.gamma, &self.beta, 1e-5)?;
            for (running, new) in [(mean, normal.mean), (variance, normal.variance)] {
                running.set(&((running.as_detached_tensor() * 0.9)? + (new * 0.1)?)?)?;
            }
            normal.output
        } else {
            batch_norm_eval(&x, &self.gamma, &self.beta, [mean, variance], 1e-5)?
        };
        Ok(y.flatten_from(1)?.relu()?)
    }
}

/// `n` points of the plane, their class the half that they lie in.
fn points(n: usize) -> Result<Dataset> {
    let points = Rng::new(4).uniform((n, 2), -1., 1., DType::F32, CPU)?;
    let labels = points.narrow(1, 0, 1)?.squeeze(1)?.ge(0f64)?;
    Dataset::new(points, labels)?.with_classes(["left", "right"])
}

fn params(last_batch: LastBatch) -> TrainParams {
    TrainParams {
        epochs: 3,
        batch_size: 10,
        last_batch,
        progress: Progress::Hidden,
        ..TrainParams::default()
    }
}

/// Trains, and gives the batches done and the batches of the epoch at every report that ended one.
fn ends<N: Network + 'static>(
    model: &Model<N>,
    data: &Dataset,
    last_batch: LastBatch,
) -> Result<(History, Vec<(usize, usize)>)> {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let heard = ends.clone();
    let params = TrainParams {
        observer: observer(move |status: &Status| {
            if status.batch == status.batches {
                heard.lock().unwrap().push((status.batch, status.batches));
            }
        }),
        ..params(last_batch)
    };
    let history = train(model, data, &CrossEntropy, &params)?;
    let ends = ends.lock().unwrap().clone();
    Ok((history, ends))
}

#[test]
fn a_last_batch_of_one_is_refused_before_the_first_step() -> Result<()> {
    let model = Model::on(1, DType::F32, CPU, Normed::new)?;
    let before = weights(model.parameters());
    for n in [1, 11, 31] {
        let text = message(train(
            &model,
            &points(n)?,
            &CrossEntropy,
            &params(LastBatch::Keep),
        ));
        assert!(
            text.starts_with(
                "batch_size is 10; expected one that leaves no last batch of a single input"
            ),
            "{text}"
        );
        assert!(
            text.contains(&format!("of {n} (")) && text.contains("`last_batch: LastBatch::Drop`")
        );
        assert!(!text.contains('\n'), "{text}");
        // Neither weights nor running statistics have moved, and no training has begun.
        assert_eq!(weights(model.parameters()), before);
        assert!(model.history().epochs.is_empty());
    }
    // Other remainders are taken, and these networks' evaluation mode takes one input.
    ends(&model, &points(12)?, LastBatch::Keep)?;
    assert_ne!(weights(model.parameters()), before);
    accuracy(&model, &points(1)?)?;
    Ok(())
}

#[test]
fn a_dropped_last_batch_leaves_the_others() -> Result<()> {
    let model = Model::on(1, DType::F32, CPU, Normed::new)?;
    let data = points(31)?;
    let (history, ends_of) = ends(&model, &data, LastBatch::Drop)?;
    assert_eq!(history.epochs.len(), 3);
    assert_eq!(ends_of, [(3, 3); 3]);
    let all_finite = weights(model.parameters()).iter().all(|w| w.is_finite());
    assert!(all_finite);
    // Fewer inputs than a batch holds are one batch, and none is left out.
    assert_eq!(ends(&model, &points(4)?, LastBatch::Drop)?.1, [(1, 1); 3]);
    assert_eq!(ends(&model, &points(30)?, LastBatch::Drop)?.1, [(3, 3); 3]);
    Ok(())
}

/// The weights after a training, and how far each epoch's status says it came.
type Trained = (Vec<f64>, Vec<(usize, usize)>);

#[test]
fn a_network_without_normalisation_trains_on_a_last_batch_of_one() -> Result<()> {
    let data = points(31)?;
    let trained = |last_batch: LastBatch| -> Result<Trained> {
        let model = build(&[2, 8, 2], 1, DType::F32)?;
        let (_, ends) = ends(&model, &data, last_batch)?;
        Ok((weights(model.parameters()), ends))
    };
    let (kept, ends_of_kept) = trained(LastBatch::Keep)?;
    let (dropped, ends_of_dropped) = trained(LastBatch::Drop)?;
    assert_eq!(ends_of_kept, [(4, 4); 3]);
    assert_eq!(ends_of_dropped, [(3, 3); 3]);
    // The one input is trained on, or not.
    assert_ne!(kept, dropped);
    Ok(())
}

#[test]
fn a_checkpoint_knows_whether_the_last_batch_was_dropped() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let run = |last_batch| -> Result<History> {
        let params = TrainParams {
            checkpoint: Some(folder.path().join("run.safetensors")),
            ..params(last_batch)
        };
        let model = build(&[2, 8, 2], 1, DType::F32)?;
        train(&model, &points(31)?, &CrossEntropy, &params)
    };
    run(LastBatch::Drop)?;
    assert_eq!(run(LastBatch::Drop)?.epochs.len(), 3);
    let text = message(run(LastBatch::Keep));
    assert!(text.contains("last batch is \"Drop\""), "{text}");
    Ok(())
}

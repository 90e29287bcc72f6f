//! The optimisers' states: what they remember, under which names, and that a run can be taken up.
//!
//! Their steps are held against PyTorch in `training.rs` and `image_training.rs`, against ASE in
//! `paths/`.

mod common;

use std::collections::BTreeMap;

use common::{CPU, assert_close, build, message, values, wave, weights};
use isopath::Result;
use isopath::candle::{DType, Var};
use isopath::datasets::{Dataset, RingsParams, entangled_rings};
use isopath::losses::CrossEntropy;
use isopath::optimizers::{AdamParams, FireParams, Optimizer, SgdParams, State};
use isopath::progress::Progress;
use isopath::training::{TrainParams, train};

fn all() -> [(Optimizer, &'static [&'static str]); 3] {
    [
        (
            Optimizer::default(),
            &["adam.first_moment.p", "adam.second_moment.p"],
        ),
        (SgdParams::default().into(), &["sgd.velocity.p"]),
        (
            FireParams::default().into(),
            &["fire.scalars", "fire.velocity.p"],
        ),
    ]
}

fn one(var: &Var) -> BTreeMap<String, Var> {
    [("p".to_string(), var.clone())].into()
}

/// Σ p⁴/4, step by step.
fn descend(state: &mut State, p: &Var, steps: usize) -> Result<()> {
    for _ in 0..steps {
        state.step(&(p.powf(4.)? / 4.)?.sum_all()?.backward()?)?;
    }
    Ok(())
}

#[test]
fn a_state_can_be_taken_up_from_its_memory() -> Result<()> {
    for (optimizer, names) in all() {
        let p = Var::from_tensor(&wave(&[2, 3], 0.)?)?;
        let mut state = State::new(optimizer, one(&p))?;
        // Enough for FIRE to have changed its time step.
        descend(&mut state, &p, 12)?;
        let memory = state.memory();
        assert_eq!(memory.keys().collect::<Vec<_>>(), names);

        let q = Var::from_tensor(&p.as_detached_tensor())?;
        let mut other = State::new(optimizer, one(&q))?;
        other.steps = state.steps;
        for (name, var) in other.memory() {
            var.set(&memory[&name].as_detached_tensor())?;
        }
        descend(&mut state, &p, 12)?;
        descend(&mut other, &q, 12)?;
        assert_eq!(values(&p), values(&q), "{optimizer:?}");
        assert_eq!((state.steps, other.steps), (24, 24));
        assert!(values(&p).iter().all(|value| value.abs() < 1.));
    }
    Ok(())
}

#[test]
fn tensors_without_a_gradient_stay_and_a_factor_scales_the_step() -> Result<()> {
    for (optimizer, _) in all() {
        let start = wave(&[3], 1.)?;
        let moved = |factor: f64| -> Result<Vec<f64>> {
            let (p, still) = (Var::from_tensor(&start)?, Var::from_tensor(&start)?);
            let vars = [
                ("p".to_string(), p.clone()),
                ("q".to_string(), still.clone()),
            ];
            let mut state = State::new(optimizer, vars.into())?;
            state.step_by(factor, &p.powf(2.)?.sum_all()?.backward()?)?;
            assert_eq!(values(&still), values(&start));
            Ok(values(&(p.as_tensor() - &start)?))
        };
        let whole = moved(1.)?;
        let half: Vec<f64> = moved(0.5)?.iter().map(|step| 2. * step).collect();
        assert_close(&half, &whole, 1e-14);
        assert!(whole.iter().all(|step| *step != 0.));
    }
    Ok(())
}

#[test]
fn the_longest_step_of_fire_counts_over_all_tensors() -> Result<()> {
    let (p, q) = (Var::new(&[3f64], CPU)?, Var::new(&[[4f64]], CPU)?);
    let vars = [("p".to_string(), p.clone()), ("q".to_string(), q.clone())];
    let params = FireParams {
        time_step: 1.,
        max_step: 0.5,
    };
    let mut state = State::new(params, vars.into())?;
    let energy = (p.sqr()?.sum_all()? + q.sqr()?.sum_all()?)?;
    state.step(&(energy / 2.)?.backward()?)?;
    // The way would be (−3, −4), of length 5.
    assert_close(&values(&p), &[2.7], 1e-14);
    assert_close(&values(&q), &[3.6], 1e-14);
    Ok(())
}

fn rings() -> Result<Dataset> {
    let params = RingsParams {
        points: 20,
        ..RingsParams::default()
    };
    entangled_rings(&params)?.dataset()
}

#[test]
fn a_training_with_fire_is_taken_up_from_its_checkpoint() -> Result<()> {
    let data = rings()?;
    let folder = tempfile::tempdir().unwrap();
    let run = |epochs, name: Option<&str>| -> Result<Vec<f64>> {
        let network = build(&[3, 6, 2], 0, DType::F32)?;
        let params = TrainParams {
            epochs,
            batch_size: data.len(),
            optimizer: FireParams::default().into(),
            checkpoint: name.map(|name| folder.path().join(name)),
            progress: Progress::Hidden,
            ..TrainParams::default()
        };
        let history = train(&network, &data, &CrossEntropy, &params)?;
        assert!(epochs < 20 || history.epochs[19].loss < 0.9 * history.epochs[0].loss);
        Ok(weights(network.parameters()))
    };
    let whole = run(20, None)?;
    run(9, Some("run"))?;
    assert_eq!(run(20, Some("run"))?, whole);
    // The names in the file, which earlier checkpoints have, too.
    let names = |path| -> Result<Vec<String>> {
        let tensors = isopath::candle::safetensors::load(folder.path().join(path), CPU)?;
        let mut names: Vec<String> = tensors.into_keys().collect();
        names.sort();
        Ok(names)
    };
    let fire = names("run")?;
    assert!(
        fire.contains(&"fire.velocity.layers.0.weight".to_string()),
        "{fire:?}"
    );
    let network = build(&[3, 6, 2], 0, DType::F32)?;
    let adam = TrainParams {
        epochs: 1,
        checkpoint: Some(folder.path().join("adam")),
        progress: Progress::Hidden,
        ..TrainParams::default()
    };
    train(&network, &data, &CrossEntropy, &adam)?;
    let of = |prefix: &str| {
        let weights = [
            "layers.0.bias",
            "layers.0.weight",
            "layers.1.bias",
            "layers.1.weight",
        ];
        weights.map(|name| format!("{prefix}{name}"))
    };
    let expected = [of("adam.first_moment."), of("adam.second_moment."), of("")].concat();
    assert_eq!(names("adam")?, expected);
    Ok(())
}

#[test]
fn parameters_are_checked() {
    let refused = |optimizer: Optimizer| message(State::new(optimizer, BTreeMap::new()));
    let fire = FireParams::default();
    assert_eq!(
        refused(
            FireParams {
                time_step: 0.,
                ..fire
            }
            .into()
        ),
        "time_step is 0; expected a finite number > 0"
    );
    assert_eq!(
        refused(
            FireParams {
                max_step: f64::INFINITY,
                ..fire
            }
            .into()
        ),
        "max_step is inf; expected a finite number > 0"
    );
    let adam = AdamParams::default();
    assert_eq!(
        refused(AdamParams { beta2: 1., ..adam }.into()),
        "beta2 is 1; expected a number in [0, 1)"
    );
    assert_eq!(
        refused(AdamParams { eps: -1., ..adam }.into()),
        "eps is -1; expected a finite number ≥ 0"
    );
}

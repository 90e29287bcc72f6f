//! What several tests share.
#![allow(dead_code)]

use std::path::Path;
use std::sync::Arc;

use isopath::Result;
use isopath::candle::{DType, Device, Tensor, Var};
use isopath::datasets::Dataset;
use isopath::models::{Activation, Mlp, Model, Parameters, Weights};
use isopath::training::{Observer, Status};

pub const CPU: &Device = &Device::Cpu;

/// A seeded tanh network.
pub fn build(sizes: &[usize], seed: u64, dtype: DType) -> Result<Model<Mlp>> {
    let sizes = sizes.to_vec();
    Model::on(seed, dtype, CPU, move |vb| {
        Mlp::new(&sizes, Activation::Tanh, vb)
    })
}

/// Labelled inputs as they are, unchecked.
pub fn data(inputs: &Tensor, labels: &Tensor) -> Dataset {
    Dataset {
        inputs: inputs.clone(),
        labels: labels.clone(),
        classes: Arc::default(),
    }
}

/// Takes over the weights of a file.
pub fn load(parameters: &Parameters, path: impl AsRef<Path>) -> Result<()> {
    parameters.set_weights(&Weights::read(path)?)
}

/// All weights as numbers, in the order of their names.
pub fn weights(parameters: &Parameters) -> Vec<f64> {
    parameters
        .vars()
        .iter()
        .flat_map(|var| values(var))
        .collect()
}

/// Tells `hear` of a training.
pub fn observer(hear: impl Fn(&Status) + Clone + Send + Sync + 'static) -> Option<Observer> {
    Some(Observer::new(move || {
        let hear = hear.clone();
        move |status: &Status| hear(status)
    }))
}

/// sin(start), sin(start + 1), … in f64, as `torch.sin(torch.arange(n) + start).reshape(shape)`.
pub fn wave(shape: &[usize], start: f64) -> Result<Tensor> {
    let values = (0..shape.iter().product())
        .map(|n| (n as f64 + start).sin())
        .collect::<Vec<_>>();
    Ok(Tensor::from_vec(values, shape, CPU)?)
}

/// A tensor's numbers, row by row.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    tensor
        .to_dtype(DType::F64)
        .and_then(|t| t.flatten_all())
        .and_then(|t| t.to_vec1())
        .unwrap()
}

/// An error's text.
pub fn message<T>(result: Result<T>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "no error".to_string())
}

/// |got − expected| ≤ tolerance, number by number, and equally many of them.
#[track_caller]
pub fn assert_close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            (got - expected).abs() <= tolerance,
            "number {index} is {got}; expected {expected} ± {tolerance}"
        );
    }
}

/// The gradients of Σ y·along in each of `variables`; no gradient counts as 0.
pub fn gradients_along(y: &Tensor, along: &Tensor, variables: &[&Var]) -> Result<Vec<Vec<f64>>> {
    let along = along.to_device(y.device())?;
    let gradients = (y * along)?.sum_all()?.backward()?;
    Ok(variables
        .iter()
        .map(|v| gradients.get(v).map_or(vec![0.; v.elem_count()], values))
        .collect())
}

/// What `work` gives in a pool of so many threads.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

/// Runs the tests of the calling test binary, but for the one named, in processes of their own, one
/// for each instruction set that the processor has, and sees that all of them ran: the kernels choose
/// theirs once in a process.
#[track_caller]
pub fn run_with_every_instruction_set(but: &str) {
    #[cfg(target_arch = "x86_64")]
    let sets = [
        ("scalar", true),
        (
            "avx2",
            std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma"),
        ),
        (
            "avx512",
            std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512dq"),
        ),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let sets = [("scalar", true)];
    let run = |set: &str, arguments: &[&str]| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .args(["--skip", but])
            .env("ISOPATH_SIMD", set)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{set}: {text}");
        text
    };
    let listed = run("scalar", &["--list"]);
    let count = listed
        .lines()
        .filter(|line| line.ends_with(": test"))
        .count();
    assert!(count > 0, "no tests but {but}: {listed}");
    for (name, there) in sets {
        if !there {
            eprintln!("{name}: not on this processor");
            continue;
        }
        // All of them ran: a name that matches nothing would succeed too.
        let text = run(name, &[]);
        assert!(
            text.contains(&format!("{count} passed; 0 failed; 0 ignored")),
            "{name}: {text}"
        );
    }
}

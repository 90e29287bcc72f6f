//! The procedure: path after path, each with its record.

use candle_core::{DType, Tensor};

use super::jobs::{Found, Job, jobs};
use super::record::{ExactRecord, ExactVerdict};
use super::records::{self, ExactRecords};
use super::settings::Settings;
use crate::checks::{self, Bounds, at_least_one};
use crate::datasets::Dataset;
use crate::device;
use crate::error::{Error, Result};
use crate::models::{Network, evaluation};
use crate::paths::{ExactParams, PiecewiseLinear, exact_path_told};
use crate::progress::Progress;

/// Points that go through the network together on a GPU: 3.6 GB for the carried network's lines after
/// the first stage.
const POINTS_ON_GPU: usize = 2048;

/// Finds the exact verdict on the paths of `settings` between test images, and keeps each in a file
/// of [`Settings::folder`] as soon as it is found.
///
/// A path whose record is there already is not searched again, so a run that was stopped goes on with
/// the path that it was at. Each path is searched to its end, also where it leaves its class. `told`
/// hears of every record, those that were there included. Paths are found where `network` and `data` are,
/// and searched on the [best device](crate::device::best).
///
/// - **Shapes**: `data` images (N, 3, H, W) with their labels; `network` has the stages of a
///   [`ResNet`](crate::models::ResNet).
/// - **Range**: pixels in [0, 1].
/// - **Source**: *connectivity*, sections 3 and 4, with [`paths::exact`](crate::paths::exact()) in the
///   place of samples.
///
/// # Errors
/// No paths or no space; pixels that are NaN or outside [0, 1]; a folder with records of other weights
/// or of other settings, or with a file that is no record; a network whose layers are not known to be
/// piecewise linear; what [`connect_pairs`](crate::experiments::connectivity::connect_pairs) and
/// [`regions`](crate::paths::regions()) refuse; a record that cannot be written.
pub fn certify(
    network: &dyn Network,
    data: &Dataset,
    settings: &Settings,
    told: &mut dyn FnMut(&ExactRecord),
) -> Result<ExactRecords> {
    at_least_one("number of paths", settings.count)?;
    at_least_one("number of spaces", settings.spaces.len())?;
    checks::finite("images", "pixels", &data.inputs)?;
    Bounds::default().check("images", "pixels", &data.inputs)?;
    check_folder(settings)?;
    let network = evaluation(network)?;
    let jobs = jobs(&network, data, settings)?;
    let mut all = ExactRecords::default();
    let mut open = Vec::new();
    for job in jobs {
        match finished(&job, settings)? {
            Some(record) => {
                told(&record);
                all.records.push(record);
            }
            None => open.push(job),
        }
    }
    let bar = settings.progress.bar("certify");
    let (before, total) = (all.records.len(), all.records.len() + open.len());
    bar.resume(before as f64, total, "paths");
    for (at, job) in open.iter().enumerate() {
        let place = (before + at) as f64;
        let note = |pieces| format!("{}, {pieces} pieces", named(job, data));
        let record = search(
            network.as_ref(),
            data,
            settings,
            job,
            &mut |share, pieces| {
                bar.report(place + share, note(pieces));
            },
        )?;
        let place_of = (&record.settings, job.space, job.pair);
        records::write(&records::file(&settings.folder, place_of), &record)?;
        bar.report(place + 1., named(job, data));
        bar.make_room();
        told(&record);
        all.records.push(record);
    }
    Ok(all)
}

/// As a progress bar names a path.
fn named(job: &Job, data: &Dataset) -> String {
    let [i, j] = job.pair.index;
    let class = data.class_name(job.pair.class);
    format!("{class} {i} and {j}, {}", job.space.title())
}

/// # Errors
/// The folder has records of other weights.
fn check_folder(settings: &Settings) -> Result<()> {
    if !settings.folder.exists() {
        return Ok(());
    }
    let there = ExactRecords::read(&settings.folder)?;
    let other = |record: &&ExactRecord| record.weights_sha256 != settings.weights_sha256;
    match there.records.iter().find(other) {
        Some(record) => {
            let expected = format!(
                "records of the weights with SHA-256 {}; choose another folder (--out), or delete \
                 these",
                settings.weights_sha256
            );
            let got = format!(
                "a record of another network, whose weights have SHA-256 {}",
                record.weights_sha256
            );
            Err(Error::file(&settings.folder, expected, got))
        }
        None => Ok(()),
    }
}

/// The record of a path, if it is there.
///
/// # Errors
/// It is no record, or that of a path that other settings decide.
fn finished(job: &Job, settings: &Settings) -> Result<Option<ExactRecord>> {
    let asked = settings.asked(job.space);
    let file = records::file(&settings.folder, (&asked, job.space, job.pair));
    if !file.exists() {
        return Ok(None);
    }
    let record: ExactRecord = records::read(&file)?;
    let differences = record.settings.differences(&asked);
    if differences.is_empty() && record.number == job.number {
        return Ok(Some(record));
    }
    let got = match differences.is_empty() {
        true => format!("that of path {}, not {}", record.number, job.number),
        false => differences,
    };
    let expected = "a record with the settings of this run; choose another folder (--out), or delete \
                    the file";
    Err(Error::file(
        file,
        expected,
        format!("other settings: {got}"),
    ))
}

/// Searches one path; `told` hears which share of it is done, and of the pieces of the leg.
pub(super) fn search(
    network: &dyn Network,
    data: &Dataset,
    settings: &Settings,
    job: &Job,
    told: &mut dyn FnMut(f64, usize),
) -> Result<ExactRecord> {
    let Found {
        kind,
        points,
        sampled,
    } = job.path(network, data, settings)?;
    let (mut legs, mut exact) = (0, None);
    if let Some(points) = points {
        legs = points.dim(0)?.saturating_sub(1);
        let points = points.to_device(&device::best())?;
        let mut params = ExactParams {
            stop_at_witness: false,
            progress: Progress::Hidden,
            ..ExactParams::default()
        };
        if !points.device().is_cpu() {
            params.chunk = POINTS_ON_GPU;
        }
        let known = PiecewiseLinear::new(network, job.space.representation())?;
        let infos = exact_path_told(
            &known,
            job.pair.class,
            &points,
            &params,
            &mut |gone, pieces| {
                told(gone / legs as f64, pieces);
            },
        )?;
        exact = ExactVerdict::of(&infos, &lengths(&points)?);
    }
    Ok(ExactRecord {
        weights_sha256: settings.weights_sha256.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: settings.command.clone(),
        settings: settings.asked(job.space),
        number: job.number,
        class: job.pair.class,
        class_name: data.class_name(job.pair.class),
        space: job.space,
        test_index: job.pair.index,
        path: kind,
        legs,
        sampled,
        exact,
    })
}

/// The length of each leg of a path (N, …).
fn lengths(path: &Tensor) -> Result<Vec<f64>> {
    let points = path.flatten_from(1)?.to_dtype(DType::F64)?;
    let legs = points.dim(0)?.saturating_sub(1);
    let legs = (points.narrow(0, 1, legs)? - points.narrow(0, 0, legs)?)?;
    Ok(legs.sqr()?.sum(1)?.sqrt()?.to_vec1()?)
}

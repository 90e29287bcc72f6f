//! Exact verdicts on the paths of a small network: their records, and what is refused.

mod common;

use std::path::Path;

use common::{CPU, message};
use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::datasets::Dataset;
use isopath::experiments::certify::{
    Asked, ExactRecord, ExactRecords, PathKind, Paths, Settings, certify, exact_records,
};
use isopath::experiments::connectivity_cifar10::{self, Space};
use isopath::io::digest;
use isopath::metrics::predictions;
use isopath::models::{Model, ResNet, ResNetParams};
use isopath::paths::{ExactParams, PiecewiseLinear};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;

/// Forty images of noise, and a narrow random network, of whose answers they are.
fn setting() -> Result<(Model<ResNet>, Dataset)> {
    let params = ResNetParams {
        classes: 2,
        zero_init_residual: false,
        ..ResNetParams::cifar10(18, 2)?
    };
    let network = Model::on(3, DType::F32, CPU, move |vb| {
        ResNet::new(params.clone(), vb)
    })?;
    let images = Rng::new(4).uniform((40, 3, 4, 4), 0., 1., DType::F32, CPU)?;
    let answers = predictions(&network, &images)?;
    let data = Dataset::new(images, answers)?.with_classes(["a", "b"])?;
    Ok((network, data))
}

fn settings(folder: &Path) -> Settings {
    Settings {
        count: 2,
        connect: connectivity_cifar10::Settings {
            side: 4,
            max_iterations: 10,
            ..connectivity_cifar10::Settings::of(Scale::Quick)
        },
        folder: folder.join("records"),
        weights_sha256: "abc".into(),
        command: "first".into(),
        progress: Progress::Hidden,
        ..Settings::default()
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// All but the time that it took and the command.
fn timeless(record: &ExactRecord) -> ExactRecord {
    let mut record = record.clone();
    record.command.clear();
    if let Some(exact) = &mut record.exact {
        exact.seconds = 0.;
    }
    record
}

#[test]
fn a_run_that_was_stopped_goes_on_with_what_is_missing() -> Result<()> {
    let ((network, data), folder) = (setting()?, folder());
    let first = settings(folder.path());
    let found = certify(&network, &data, &first, &mut |_| {})?.records;
    let spaces: Vec<Space> = found.iter().map(|record| record.space).collect();
    let numbers: Vec<usize> = found.iter().map(|record| record.number).collect();
    let (hidden, pixels) = (Space::FirstStage, Space::Input);
    assert_eq!(spaces, [hidden, pixels, hidden, pixels]);
    assert_eq!(numbers, [0, 0, 1, 1]);
    for record in &found {
        let ([i, j], sampled) = (record.test_index, record.sampled);
        let exact = record.exact.as_ref().unwrap();
        assert!(exact.smallest_margin <= sampled.smallest_margin + 1e-4);
        assert!(exact.pieces > 10 && exact.residual < 1e-9);
        if record.path == PathKind::Line {
            // The line once more, by the function itself.
            let pair = data.select(&[i, j])?.inputs;
            let points = record.space.representation().of(&network, &pair)?;
            let ends = [points.narrow(0, 0, 1)?, points.narrow(0, 1, 1)?];
            let known = PiecewiseLinear::new(&network, record.space.representation())?;
            let params = ExactParams {
                stop_at_witness: false,
                ..ExactParams::default()
            };
            let info = isopath::paths::exact(&known, record.class, &ends[0], &ends[1], &params)?;
            assert_eq!(
                (info.pieces, info.smallest_margin, info.at),
                (exact.pieces, exact.smallest_margin, exact.at.t)
            );
        }
    }
    // A part of a file is never there, and what is there is left as it is.
    let lost = format!(
        "pair_input_{}_{}.json",
        found[1].test_index[0], found[1].test_index[1]
    );
    std::fs::remove_file(first.folder.join(lost)).unwrap();
    let again = Settings {
        command: "second".into(),
        ..first.clone()
    };
    let mut told = Vec::new();
    let resumed = certify(&network, &data, &again, &mut |record| {
        told.push(record.clone())
    })?;
    let second: Vec<usize> = (0..4)
        .filter(|at| told[*at].command == "second")
        .map(|at| told[at].number + usize::from(told[at].space != pixels))
        .collect();
    assert_eq!((told.len(), second), (4, vec![0]));
    let sorted = |records: &[ExactRecord]| {
        let mut records: Vec<ExactRecord> = records.iter().map(timeless).collect();
        records.sort_by_key(|record| (record.number, record.space));
        records
    };
    assert_eq!(sorted(&resumed.records), sorted(&found));
    Ok(())
}

#[test]
fn records_are_merged_and_belong_to_their_weights() -> Result<()> {
    let ((network, data), folder) = (setting()?, folder());
    let weights = folder.path().join("weights.safetensors");
    network.save(&weights)?;
    let settings = Settings {
        weights_sha256: digest::of_file(&weights)?,
        ..settings(folder.path())
    };
    certify(&network, &data, &settings, &mut |_| {})?;
    let merged = folder.path().join("merged.json");
    ExactRecords::read(&settings.folder)?.write(&merged)?;
    let read = exact_records(&merged, &weights)?;
    // A folder that is filled from the file has nothing left to do.
    let other_folder = folder.path().join("taken_over");
    read.write_to_folder(&other_folder)?;
    assert_eq!(ExactRecords::read(&other_folder)?, read);
    assert_eq!(read, exact_records(&settings.folder, &weights)?);
    let spaces: Vec<Space> = read.records.iter().map(|record| record.space).collect();
    assert_eq!(spaces, [[Space::Input; 2], [Space::FirstStage; 2]].concat());
    assert_eq!(read.in_space(Space::Input).records.len(), 2);
    let rows = read.paths().rows;
    assert_eq!(rows.len(), 4);
    assert!(read.table().to_string().contains("pairs, first stage"));

    // Every bit is read again: without care this residual is read as its neighbour.
    let mut exact = read.clone();
    for record in &mut exact.records {
        if let Some(found) = &mut record.exact {
            found.residual = 2.0971839040900967e-15;
        }
    }
    exact.write(&merged)?;
    assert_eq!(ExactRecords::read(&merged)?, exact);
    read.write(&merged)?;

    let other = folder.path().join("other.safetensors");
    std::fs::write(&other, "others").unwrap();
    let refused = message(exact_records(&merged, &other));
    assert!(
        refused.starts_with("record is a record of weights with SHA-256"),
        "{refused}"
    );
    let other = Settings {
        weights_sha256: "def".into(),
        ..settings
    };
    let refused = message(certify(&network, &data, &other, &mut |_| {}));
    assert!(
        refused.contains("a record of another network")
            && refused.contains("choose another folder (--out), or delete these"),
        "{refused}"
    );
    Ok(())
}

#[test]
fn other_settings_and_broken_files_are_refused() -> Result<()> {
    let ((network, data), folder) = (setting()?, folder());
    let settings = Settings {
        count: 1,
        spaces: vec![Space::FirstStage],
        ..settings(folder.path())
    };
    certify(&network, &data, &settings, &mut |_| {})?;
    let mut other = settings.clone();
    other.connect.pivots = 9;
    let refused = message(certify(&network, &data, &other, &mut |_| {}));
    assert!(
        refused.contains("other settings: pivots 8, not 9;")
            && refused.contains("choose another folder (--out)"),
        "{refused}"
    );
    let broken = settings.folder.join("pair_input_1_2.json");
    std::fs::write(&broken, "{\"weights_sha256\": \"abc\"").unwrap();
    for refused in [
        message(certify(&network, &data, &settings, &mut |_| {})),
        message(ExactRecords::read(&settings.folder)),
    ] {
        assert!(
            refused.contains("pair_input_1_2.json: no record (EOF"),
            "{refused}"
        );
    }
    Ok(())
}

#[test]
fn pixels_that_are_none_and_nothing_to_do_are_refused() -> Result<()> {
    let ((network, data), folder) = (setting()?, folder());
    let settings = settings(folder.path());
    let with_pixel = |pixel: f32| -> Result<Dataset> {
        let wrong = Tensor::full(pixel, (1, 3, 4, 4), CPU)?;
        let rest = data.inputs.narrow(0, 1, 39)?;
        Ok(Dataset {
            inputs: Tensor::cat(&[wrong, rest], 0)?,
            ..data.clone()
        })
    };
    let refused = |data: &Dataset, settings: &Settings| {
        message(certify(&network, data, settings, &mut |_| {}))
    };
    assert_eq!(
        refused(&with_pixel(f32::NAN)?, &settings),
        "images is partly NaN or ∞; expected finite pixels"
    );
    let outside = refused(&with_pixel(2.)?, &settings);
    assert!(
        outside.contains("pixels inside the bounds [0, 1]"),
        "{outside}"
    );
    let none = Settings {
        count: 0,
        ..settings.clone()
    };
    assert!(refused(&data, &none).starts_with("number of paths is 0"));
    let nowhere = Settings {
        spaces: Vec::new(),
        ..settings.clone()
    };
    assert!(refused(&data, &nowhere).starts_with("number of spaces is 0"));
    let nothing = Settings {
        paths: Paths::Tree("c".into()),
        ..settings
    };
    assert_eq!(
        refused(&data, &nothing),
        "class is \"c\"; expected one of a, b"
    );
    Ok(())
}

#[test]
fn a_tree_is_certified_edge_by_edge_the_shortest_first() -> Result<()> {
    let ((network, data), folder) = (setting()?, folder());
    let largest = ["a", "b"]
        .into_iter()
        .max_by_key(|name| data.of_class(name).map_or(0, |own| own.len()));
    let name = largest.unwrap();
    let settings = Settings {
        paths: Paths::Tree(name.into()),
        count: 3,
        spaces: vec![Space::Input],
        ..settings(folder.path())
    };
    let found = certify(&network, &data, &settings, &mut |_| {})?.records;
    assert_eq!(found.len(), 3);
    let mut lengths = Vec::new();
    for (number, record) in found.iter().enumerate() {
        assert_eq!(record.number, number);
        assert_eq!(
            (record.class_name.as_str(), record.path),
            (name, PathKind::Line)
        );
        assert!(matches!(record.settings, Asked::Tree { samples: 16, .. }));
        assert!(record.sampled.inside && record.sampled.samples == 17);
        let exact = record.exact.as_ref().unwrap();
        assert!(exact.smallest_margin <= record.sampled.smallest_margin + 1e-4);
        let pair = data.select(&record.test_index)?.inputs;
        let apart = (pair.narrow(0, 0, 1)? - pair.narrow(0, 1, 1)?)?;
        lengths.push(apart.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    assert!(lengths.is_sorted(), "{lengths:?}");
    Ok(())
}

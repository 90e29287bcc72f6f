//! The real sets, over the network.

use std::time::Instant;

use isopath::Result;
use isopath::datasets::{self, Set, missing};

#[test]
#[ignore = "uses the network: downloads all sets to the data folder"]
fn from_the_network() -> Result<()> {
    let root = datasets::root();
    for set in Set::ALL {
        for _ in 0..2 {
            let start = Instant::now();
            let fetched = datasets::fetch(set, &root, &mut |line| println!("{line}"))?;
            println!(
                "{set}: added {} files in {:.2?}",
                fetched.added.len(),
                start.elapsed()
            );
            assert_eq!(missing(set.files(), &fetched.folder)?, []);
        }
    }
    for (set, sizes, train, test) in [
        // The first labels of the release.
        (
            Set::Mnist,
            [60_000, 10_000],
            [5, 0, 4, 1, 9],
            [7, 2, 1, 0, 4],
        ),
        // Frog, truck, truck, deer, automobile; and cat, ship, ship, plane, frog.
        (
            Set::Cifar10,
            [50_000, 10_000],
            [6, 9, 9, 4, 1],
            [3, 8, 8, 0, 6],
        ),
        (
            Set::FashionMnist,
            [60_000, 10_000],
            [9, 0, 0, 3, 0],
            [9, 2, 1, 1, 6],
        ),
    ] {
        let start = Instant::now();
        let split = datasets::load(set, &root)?;
        println!("{set} read in {:.2?}", start.elapsed());
        assert_eq!([split.train.len(), split.test.len()], sizes);
        assert_eq!(split.train.first(5)?.labels.to_vec1::<u32>()?, train);
        assert_eq!(split.test.first(5)?.labels.to_vec1::<u32>()?, test);
    }
    Ok(())
}

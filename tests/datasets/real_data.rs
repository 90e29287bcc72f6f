#[test]
#[ignore = "uses the network: brings both sets into the data folder"]
fn from_the_network() -> Result<()> {
    let root = datasets::root();
    for set in Set::ALL {
        for _ in 0..2 {
            let start = Instant::now();
            let fetched = datasets::fetch(set, &root, &mut |line| println!("{line}"))?;
            println!(
                "{set}: brought {} files in {:.2?}",
                fetched.brought.len(),
                start.elapsed()
            );
            assert_eq!(missing(set.files(), &fetched.folder)?, []);
        }
    }
    let start = Instant::now();
    let images = mnist::load(&root)?;
    println!("mnist read in {:.2?}", start.elapsed());
    assert_eq!(
        (images.train_images.dims(), images.test_images.dims()),
        (&[60_000, 784][..], &[10_000, 784][..])
    );
    // The first labels of the release: 5 0 4 1 9, and 7 2 1 0 4.
    assert_eq!(
        images.train_labels.narrow(0, 0, 5)?.to_vec1::<u32>()?,
        [5, 0, 4, 1, 9]
    );
    assert_eq!(
        images.test_labels.narrow(0, 0, 5)?.to_vec1::<u32>()?,
        [7, 2, 1, 0, 4]
    );
    let start = Instant::now();
    let images = cifar10::load(&root)?;
    println!("cifar10 read in {:.2?}", start.elapsed());
    // frog, truck, truck, deer, automobile; and cat, ship, ship, plane, frog.
    assert_eq!(
        images.train_labels.narrow(0, 0, 5)?.to_vec1::<u32>()?,
        [6, 9, 9, 4, 1]
    );
    assert_eq!(
        images.test_labels.narrow(0, 0, 5)?.to_vec1::<u32>()?,
        [3, 8, 8, 0, 6]
    );
    Ok(())
}

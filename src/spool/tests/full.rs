//! Disks that are full or fail.

use super::*;

/// A spool that holds a tick, on a disk with room for so many more bytes.
fn with_room(more: usize) -> (Memory, Spool, Outbox) {
    let disk = Memory::default();
    let mut opened = open(&disk);
    opened.outbox.push(tick(&metrics(), 0));
    assert!(opened.spool.sync(&mut opened.outbox).event.is_none());
    disk.set_room(Some(disk.content().len() + more));
    (disk, opened.spool, opened.outbox)
}

#[test]
fn full_disk_is_told_once_and_healed_once() {
    let (disk, mut spool, mut outbox) = with_room(100);
    let before = held(&outbox);
    for minute in 1..4 {
        outbox.push(tick(&metrics(), minute));
        let event = spool.sync(&mut outbox).event;
        match minute {
            1 => assert!(matches!(
                event,
                Some(Event::Degraded(SpoolError::Write { source, .. })) if is_full(&source)
            )),
            _ => assert!(event.is_none()),
        }
        assert!(spool.is_degraded());
        assert_eq!(on_disk(&disk), before, "what was on disk still is");
    }
    disk.set_room(None);
    assert!(matches!(spool.sync(&mut outbox).event, Some(Event::Healed)));
    assert!(!spool.is_degraded());
    assert_eq!(on_disk(&disk), held(&outbox));
    assert!(spool.sync(&mut outbox).event.is_none());
}

#[test]
fn full_disk_takes_removals_as_long_as_they_fit() {
    let (disk, mut spool, mut outbox) = with_room(60);
    outbox.push(tick(&metrics(), 1));
    spool.sync(&mut outbox);
    let first: Vec<_> = outbox.held().map(|held| held.id).collect();
    accept(&mut outbox, &metrics()[0].namespace);
    accept(&mut outbox, &metrics()[0].namespace);
    spool.sync(&mut outbox);
    let ids: Vec<_> = on_disk(&disk).iter().map(|held| held.id).collect();
    assert_eq!(ids, [2, 4], "of {first:?}");
}

#[test]
fn full_disk_heals_by_delivery_alone() {
    let (disk, mut spool, mut outbox) = with_room(0);
    outbox.push(tick(&metrics(), 1));
    assert!(matches!(
        spool.sync(&mut outbox).event,
        Some(Event::Degraded(_))
    ));
    for namespace in [&metrics()[0].namespace, &metrics()[1].namespace] {
        accept(&mut outbox, namespace);
        accept(&mut outbox, namespace);
    }
    assert!(matches!(spool.sync(&mut outbox).event, Some(Event::Healed)));
    assert_eq!(disk.content().len(), EMPTY);
}

#[test]
fn full_disk_at_start_is_told_by_the_first_write() {
    let disk = Memory::default();
    disk.set_room(Some(10));
    let mut opened = open(&disk);
    let event = opened.spool.sync(&mut opened.outbox).event;
    assert!(matches!(
        event,
        Some(Event::Degraded(SpoolError::Replace { .. }))
    ));
    disk.set_room(None);
    opened.outbox.push(tick(&metrics(), 0));
    let event = opened.spool.sync(&mut opened.outbox).event;
    assert!(matches!(event, Some(Event::Healed)));
    assert_eq!(on_disk(&disk), held(&opened.outbox));
}

#[test]
fn emptying_that_fails_is_made_up_for() {
    for step in ["write", "truncate"] {
        let (disk, mut spool, mut outbox) = with_room(usize::MAX / 2);
        for namespace in [&metrics()[0].namespace, &metrics()[1].namespace] {
            accept(&mut outbox, namespace);
        }
        disk.set_failing(&[step]);
        assert!(matches!(
            spool.sync(&mut outbox).event,
            Some(Event::Degraded(_))
        ));
        disk.set_failing(&[]);
        assert!(matches!(spool.sync(&mut outbox).event, Some(Event::Healed)));
        assert_eq!(disk.content().len(), EMPTY);
    }
}

#[test]
fn half_a_write_that_cannot_be_undone_is_left_behind() {
    let (disk, mut spool, mut outbox) = with_room(30);
    let before = disk.content().len();
    disk.set_failing(&["truncate"]);
    outbox.push(tick(&metrics()[..1], 1));
    assert!(spool.sync(&mut outbox).event.is_some());
    assert!(disk.content().len() > before);
    disk.set_failing(&[]);
    disk.set_room(None);
    accept(&mut outbox, &metrics()[0].namespace);
    assert!(matches!(spool.sync(&mut outbox).event, Some(Event::Healed)));
    assert_eq!(disk.content().len(), before);
}

#[test]
fn old_file_is_not_written_once_a_new_one_may_have_its_name() {
    let disk = Memory::default();
    let mut opened = open_within(disk.clone(), 10).unwrap();
    disk.set_failing(&["publish"]);
    for minute in 0.. {
        opened.outbox.push(tick(&metrics(), minute));
        if opened.spool.sync(&mut opened.outbox).event.is_some() {
            break;
        }
    }
    disk.set_failing(&[]);
    for metric in &metrics()[..2] {
        while opened.outbox.len_of(&metric.namespace) > 0 {
            accept(&mut opened.outbox, &metric.namespace);
        }
    }
    let event = opened.spool.sync(&mut opened.outbox).event;
    assert!(matches!(event, Some(Event::Healed)));
    assert_eq!(on_disk(&disk), held(&opened.outbox));
}

#[test]
fn new_file_that_does_not_fit_takes_no_room() {
    let (disk, mut spool, mut outbox) = with_room(usize::MAX / 2);
    disk.set_failing(&["sync"]);
    outbox.push(tick(&metrics(), 1));
    assert!(spool.sync(&mut outbox).event.is_some());
    assert!(spool.sync(&mut outbox).event.is_none());
    let unpublished = disk.fork();
    unpublished.take(Step::Publish).unwrap();
    assert_eq!(unpublished.content().len(), 0);
}

#[test]
fn used_up_quota_is_a_full_disk() {
    for (kind, expected) in [
        (io::ErrorKind::StorageFull, true),
        (io::ErrorKind::QuotaExceeded, true),
        (io::ErrorKind::PermissionDenied, false),
    ] {
        assert_eq!(is_full(&kind.into()), expected);
    }
}

#[test]
fn disk_that_fails_at_start_is_refused() {
    for step in ["create", "write", "sync", "publish"] {
        let disk = Memory::default();
        disk.set_failing(&[step]);
        let error = open_within(disk, 1).unwrap_err();
        assert!(matches!(error, SpoolError::Replace { .. }), "{error}");
    }
}

#[test]
fn every_room_leaves_a_file_that_reads() {
    for room in 0..600 {
        let (disk, mut spool, mut outbox) = with_room(room);
        let before = held(&outbox);
        outbox.push(tick(&metrics(), 1));
        let event = spool.sync(&mut outbox).event;
        let expected = if event.is_some() {
            before
        } else {
            held(&outbox)
        };
        assert_eq!(on_disk(&disk), expected, "room {room}");
    }
}

#[test]
fn any_failing_step_is_survived_and_healed() {
    let steps = ["create", "write", "truncate", "sync", "publish"];
    for failing in 1..1 << steps.len() {
        let failing: Vec<_> = (0..steps.len())
            .filter(|step| failing & (1 << step) != 0)
            .map(|step| steps[step])
            .collect();
        let (disk, mut spool, mut outbox) = with_room(usize::MAX / 2);
        let kept = held(&outbox);
        disk.set_failing(&failing);
        let mut degraded = false;
        for minute in 1..3 {
            outbox.push(tick(&metrics(), minute));
            degraded |= spool.sync(&mut outbox).event.is_some();
            let found = held(&open(&Memory::holding(&disk.content())).outbox);
            assert!(kept.iter().all(|held| found.contains(held)), "{failing:?}");
            let safe = if degraded { &kept } else { &held(&outbox) };
            assert!(safe.iter().all(|held| found.contains(held)), "{failing:?}");
        }
        disk.set_failing(&[]);
        let healed = spool.sync(&mut outbox).event;
        assert_eq!(matches!(healed, Some(Event::Healed)), degraded);
        assert_eq!(on_disk(&disk), held(&outbox), "{failing:?}");
    }
}

#[test]
fn no_write_is_trusted_after_a_failed_flush() {
    let (disk, mut spool, mut outbox) = with_room(usize::MAX / 2);
    disk.set_failing(&["sync"]);
    outbox.push(tick(&metrics(), 1));
    assert!(spool.sync(&mut outbox).event.is_some());
    disk.set_failing(&[]);
    let before = disk.steps().len();
    assert!(matches!(spool.sync(&mut outbox).event, Some(Event::Healed)));
    assert!(matches!(disk.steps()[before], Step::Create));
}

#[test]
fn file_is_kept_when_there_is_no_room_for_two() {
    let disk = Memory::default();
    let mut opened = open_within(disk.clone(), 10).unwrap();
    disk.set_room(Some(60_000));
    let mut minute = 0;
    while opened.spool.sync(&mut opened.outbox).event.is_none() && minute < 5000 {
        opened.outbox.push(tick(&[metric("A", "")], minute));
        minute += 1;
        disk.set_room(Some(disk.content().len().max(1000) + 100));
    }
    assert!(opened.spool.is_degraded());
    let found = on_disk(&disk);
    assert_eq!(found.len(), 10);
    disk.set_room(None);
    assert!(matches!(
        opened.spool.sync(&mut opened.outbox).event,
        Some(Event::Healed)
    ));
    assert_eq!(on_disk(&disk), held(&opened.outbox));
    assert!(disk.content().len() < 1000);
}

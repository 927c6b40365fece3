"""The paper's data sets: split sizes, licence, where to obtain them, which tables wait for them.

Keys are those of ``prep`` in params.yaml. A size that differs is a fault; the finding says whether
the number is published with the data set or only recalled from the literature, and may then be
corrected here. A number of categories that is recalled gives a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Size:
    """How many of something a split has.

    Attributes:
        unit: What a reader's ``units`` counts: "images", "categories", "entities", "refs",
            "sentences", "videos" or "frames"; or "narratives".
        least, most: Closed range; equal where the number is exact.
        sure: Stated by the data set's publication or files; else recalled from the literature.
    """

    unit: str
    least: int
    most: int
    sure: bool

    def __str__(self) -> str:
        span = f"{self.least:,}" if self.least == self.most else f"{self.least:,}-{self.most:,}"
        return f"{span} {self.unit}{'' if self.sure else ' (recalled)'}"


@dataclass(frozen=True)
class Source:
    """One data set of the paper.

    Attributes:
        title: Its name.
        project: Whose pages have it, in words.
        licence: Terms in words.
        tables: Tables of the paper that cannot be made at paper scale without it.
        splits: Sizes by name of split in the manifest; splits of unknown size are left out.
        totals: Sizes of several splits together, checked where all of them are there.
        remark: What else must be known to get it.
    """

    title: str
    project: str
    licence: str
    tables: tuple[str, ...]
    splits: Mapping[str, tuple[Size, ...]] = field(default_factory=dict)
    totals: Mapping[tuple[str, ...], tuple[Size, ...]] = field(default_factory=dict)
    remark: str = ""

    @property
    def obtain(self) -> str:
        """Where to get it, on one line."""
        remark = f"; {self.remark}" if self.remark else ""
        return f"{self.title}: from {self.project}; {self.licence}{remark}"


def published(**units: int | tuple[int, int]) -> tuple[Size, ...]:
    """Return sizes that the data set's publication or files state."""
    return _sizes(units, sure=True)


def recalled(**units: int | tuple[int, int]) -> tuple[Size, ...]:
    """Return sizes that are recalled from the literature."""
    return _sizes(units, sure=False)


def _sizes(units: Mapping[str, int | tuple[int, int]], *, sure: bool) -> tuple[Size, ...]:
    ranges = {unit: (n, n) if isinstance(n, int) else n for unit, n in units.items()}
    return tuple(Size(unit, *ends, sure) for unit, ends in ranges.items())


_ENTITYSEG = "Adobe EntitySeg-Dataset, release v1.0; images from the authors' mirror"
_ADOBE = "Adobe Research License (non-commercial research); images keep their sources' licences"
_COCO_TERMS = "annotations CC BY 4.0, images under Flickr's terms"
_REFER = "the refer API project"

CATALOGUE: dict[str, Source] = {
    "entityseg": Source(
        "EntitySeg",
        _ENTITYSEG,
        _ADOBE,
        ("I", "IV", "V", "VI", "VIII", "XXII"),
        {
            f"{part}{low}": (*published(categories=644), *recalled(images=count))
            for part, count in (("train", 31_913), ("val", 1_314))
            for low in ("", "_lr")
        },
        {("train", "val"): published(images=33_227)},
    ),
    "entityseg_annotators": Source(
        "EntitySeg, three annotators of 500 images",
        "nowhere: these annotations were not released",
        _ADOBE,
        ("II",),
        {
            f"{task}_{annotator}": published(images=500)
            for task in ("masks", "classes")
            for annotator in (1, 2, 3)
        },
    ),
    "entityseg_classes": Source(
        "EntitySeg with classes (instance, semantic, panoptic)",
        _ENTITYSEG,
        _ADOBE,
        ("IV",),
        {
            f"{part}_{form}": recalled(categories=count)
            for part in ("train", "val")
            for form, count in (("instance", 206), ("semantic", 150), ("panoptic", 350))
        },
        {
            (f"train_{form}", f"val_{form}"): published(images=11_580)
            for form in ("instance", "semantic", "panoptic")
        },
    ),
    "coco": Source(
        "COCO 2017 panoptic",
        "the COCO data set's pages",
        _COCO_TERMS,
        ("I", "V", "VIII", "XIII", "XIV", "XV", "XVI", "XVII", "XVIII"),
        {
            "train": published(images=118_287, categories=133),
            "val": published(images=5_000, categories=133),
        },
    ),
    "ade20k": Source(
        "ADE20K, scene parsing subset",
        "the MIT CSAIL scene parsing pages",
        "research use",
        ("I", "V", "XIII", "XIV"),
        {
            f"{part}{form}": published(images=count, categories=classes)
            for part, count in (("train", 20_210), ("val", 2_000))
            for form, classes in (("", 150), ("_semantic", 150), ("_instance", 100))
        },
        remark="panoptic and instance files are made by the scripts of the Mask2Former project",
    ),
    "lvis": Source(
        "LVIS v1",
        "the LVIS data set's pages; images are COCO 2017's",
        _COCO_TERMS,
        ("VIII", "XIV"),
        {"val": recalled(images=19_809, categories=1_203)},
    ),
    "ocid": Source(
        "OCID",
        "TU Wien, V4R group",
        "research use; see its pages",
        ("VIII",),
        {"test": recalled(images=(2_346, 2_390))},
    ),
    "camo_pp": Source(
        "CAMO++",
        "the CAMO++ project page",
        "academic use",
        ("VIII",),
        {"all": recalled(images=5_500, entities=32_756)},
        remark="the paper does not say which images it scored: camouflaged test images, assumed",
    ),
    "fss1000": Source(
        "FSS-1000",
        "the FSS-1000 project",
        "research use; see its pages",
        ("VIII",),
        {
            "test": published(images=2_400, categories=240),
            "all": recalled(images=10_000, categories=1_000),
        },
    ),
    "dis5k": Source(
        "DIS5K",
        "the DIS project",
        "its own terms of use (non-commercial)",
        ("VII",),
        {
            "DIS-TR": recalled(images=3_000),
            "DIS-VD": recalled(images=470),
            **{f"DIS-TE{part}": recalled(images=500) for part in range(1, 5)},
        },
    ),
    "sginw": Source(
        "Segmentation in the Wild, 25 sets",
        "the X-Decoder project's Segmentation in the Wild challenge",
        "each set has its own Roboflow licence",
        ("XIV",),
    ),
    "png": Source(
        "PNG (Panoptic Narrative Grounding)",
        "the Panoptic Narrative Grounding project; images and masks are COCO 2017's",
        "Localized Narratives CC BY 4.0; COCO's terms",
        ("X", "XII", "XIX", "XX", "XXI", "XXII", "XXIII"),
        {"train": published(narratives=134_272), "val": recalled(narratives=(8_500, 8_600))},
    ),
    "refcoco": Source(
        "RefCOCO",
        _REFER,
        "API Apache-2.0; images are COCO train2014's",
        ("IX",),
        {
            "train": recalled(refs=42_404, sentences=120_624),
            "val": recalled(refs=3_811, sentences=10_834),
            "testA": recalled(refs=1_975, sentences=5_657),
            "testB": recalled(refs=1_810, sentences=5_095),
        },
    ),
    "refcoco_plus": Source(
        "RefCOCO+",
        _REFER,
        "API Apache-2.0; images are COCO train2014's",
        ("IX",),
        {
            "train": recalled(refs=42_278, sentences=120_191),
            "val": recalled(refs=3_805, sentences=10_758),
            "testA": recalled(refs=1_975, sentences=5_726),
            "testB": recalled(refs=1_798, sentences=4_889),
        },
    ),
    "refcocog": Source(
        "RefCOCOg (umd)",
        _REFER,
        "API Apache-2.0; images are COCO train2014's",
        ("IX",),
        {
            "train": recalled(refs=42_226, sentences=80_512),
            "val": recalled(refs=2_573, sentences=4_896),
            "test": recalled(refs=5_023, sentences=9_602),
        },
    ),
    "reasonseg": Source(
        "ReasonSeg",
        "the LISA project",
        "see the LISA project",
        ("XIV",),
        {
            "train": published(images=239),
            "val": published(images=200),
            "test": published(images=779),
        },
        remark="the test annotations were released after the others",
    ),
    "ytvis2019": Source(
        "YouTube-VIS 2019",
        "the YouTube-VIS challenge",
        "research use; see its pages",
        ("V",),
        {
            "train": recalled(videos=2_238, categories=40),
            "valid": recalled(videos=302, categories=40),
            "test": recalled(videos=343, categories=40),
        },
        remark="the annotations of valid are on a server only: hold out a part of train",
    ),
    "vipseg": Source(
        "VIPSeg",
        "the VIPSeg-Dataset project",
        "non-commercial research",
        ("V",),
        {
            "train": (*published(categories=124), *recalled(videos=2_806)),
            "val": (*published(categories=124), *recalled(videos=343)),
            "test": (*published(categories=124), *recalled(videos=387)),
        },
    ),
    "uvo": Source(
        "UVO v1.0",
        "the UVO project; videos are Kinetics-400's",
        "see the UVO project",
        ("V",),
        {
            "train_dense": published(videos=503),
            "val_dense": published(videos=256),
            "train_frame": published(images=15_414),
            "val_frame": published(images=7_356),
        },
        remark="frames must be cut from Kinetics-400 clips, short side 480, 30 fps",
    ),
}

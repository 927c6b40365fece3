import numpy as np
import pytest
import torch

from projects.gella import prompts
from projects.gella.samples import colored
from projects.gella.tokens import IGNORED, PromptTokenizer
from workbench.datasets import load_entities
from workbench.engine.draws import Draw
from workbench.errors import BadInput, MissingInput
from workbench.grounding.schema import GroundingRequest


def request(count=3, caption="There is a red square.", size=(48, 64), nouns=None):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, count + 1, (6, 8)).repeat(8, 0).repeat(8, 1)
    masks = np.stack([labels == n for n in range(1, count + 1)])
    return GroundingRequest(rng.integers(0, 256, (*size, 3), np.uint8), masks, caption, nouns)


def places(example, language):
    """Return where an answer has its `<SEG>`s."""
    seg = language.tokenizer.seg_id
    pairs = enumerate(zip(example.ids, example.labels, strict=True))
    return [at for at, (token, label) in pairs if token == label == seg]


class TestTokens:
    def test_prompt_is_not_learned_and_the_answer_is(self, pretrained):
        tokenizer = PromptTokenizer(pretrained["llm"], 200)
        prompt, answer = prompts.extract_prompt("A red square."), prompts.nouns_answer(["square"])
        tokens = tokenizer.example(prompt, answer)
        learned = [
            i for i, label in zip(tokens.ids, tokens.labels, strict=True) if label != IGNORED
        ]
        assert tokenizer.decode(learned) == answer and learned[-1] == tokenizer.end_id
        assert tokens.ids.count(tokenizer.image_id) == 1
        assert tokens.ids.count(tokenizer.seg_id) == 1

    def test_nothing_is_cut_silently(self, pretrained):
        tokenizer = PromptTokenizer(pretrained["llm"], 20)
        with pytest.raises(BadInput, match="context holds 20"):
            tokenizer.prompt(prompts.extract_prompt("square " * 30))

    def test_folder_without_tokenizer(self, tmp_path):
        with pytest.raises(MissingInput, match="tokenizer.json"):
            PromptTokenizer(tmp_path, 20)


class TestLanguage:
    def test_segments_are_found_whatever_the_padding(self, gella, dataset):
        data = dataset()
        samples = [data[at]["samples"] for at in range(4)]
        language = gella.eval().language
        image = gella.image_features(samples)
        together = language(image, [s.tokens for s in samples]).segments
        for at, sample in enumerate(samples):
            alone = language(image[at : at + 1], [sample.tokens]).segments[0]
            assert len(alone) == sample.tokens.labels.count(language.tokenizer.seg_id)
            assert torch.allclose(alone, together[at], atol=1e-5)

    def test_states_at_seg_must_name_the_tokens_before_it(self, gella):
        language = gella.language
        image = torch.randn(2, gella.image_encoder.channels, 4, 4)
        extract = prompts.extract_prompt("A red square and grass.")
        answers = [prompts.nouns_answer(nouns) for nouns in (["red square", "grass"], ["grass"])]
        tokens = [language.tokenizer.example(extract, answer) for answer in answers]
        answered = language(image, tokens)
        states = torch.cat(answered.segments)
        before = [
            [example.ids[at - back] for example in tokens for at in places(example, language)]
            for back in range(1, 1 + len(language.recall))
        ]
        expected = sum(
            torch.nn.functional.cross_entropy(
                language.model.lm_head(head(states)), torch.tensor(ids)
            )
            for head, ids in zip(language.recall, before, strict=True)
        )
        assert len(language.recall) == 3
        assert answered.recall.item() == pytest.approx(language.recall_weight * expected.item())

    def test_descriptions_have_nothing_to_name(self, gella):
        language = gella.language
        described = language.tokenizer.example(prompts.describe_prompt(), "There is grass.")
        image = torch.randn(1, gella.image_encoder.channels, 4, 4)
        assert language(image, [described]).recall is None

    def test_generation_with_and_without_cache_is_the_same(self, gella):
        language = gella.eval().language
        image = torch.randn(2, gella.image_encoder.channels, 4, 4)
        captions = ("A red square.", "The grass and two blue discs are there.")
        asked = [language.tokenizer.prompt(prompts.extract_prompt(c)) for c in captions]
        fast, slow = (language.generate(image, asked, use_cache=c) for c in (True, False))
        assert [a.text for a in fast] == [a.text for a in slow]
        one = language.generate(image[1:], asked[1:])[0]
        assert one.text == fast[1].text


class TestLoss:
    def test_gradients_reach_all_but_the_frozen_encoder(self, gella, dataset):
        data = dataset()
        sum(
            gella.train()([data[at]["samples"] for at in range(3)], mode="loss").values()
        ).backward()
        idle = [n for n, p in gella.named_parameters() if p.requires_grad and p.grad is None]
        assert idle == []
        assert not any(p.requires_grad for p in gella.image_encoder.parameters())

    def test_descriptions_train_the_language_alone(self, gella, dataset):
        data = dataset(captions="captions", ratios={"describe": 0.99, "ground": 0.01})
        samples = [data[Draw(0, at)]["samples"] for at in range(3)]
        assert {s.task for s in samples} == {"describe"} and samples[0].colormap is None
        assert set(gella.loss(samples)) == {"loss_ans"}


class TestDataset:
    def test_cached_features_are_the_encoders(self, gella, dataset, tmp_path):
        cached, fresh = dataset()[2]["samples"], dataset(cache=False)[2]["samples"]
        encoded = gella.image_features([fresh])[0]
        assert torch.allclose(cached.image, encoded, atol=1e-2, rtol=1e-2)
        assert (cached.masks == fresh.masks).all()

    def test_a_damaged_cache_is_made_again(self, dataset, tmp_path):
        good = dataset()[0]["samples"].image
        path = next(tmp_path.glob("work_dirs/pictures/*/features.npy"))
        path.write_bytes(path.read_bytes()[:-8] + b"damaged!")
        assert torch.equal(dataset()[0]["samples"].image, good)

    def test_shares_must_sum_to_one(self, dataset):
        with pytest.raises(BadInput, match="sum to 1"):
            dataset(ratios={"ground": 0.5})

    def test_lists_of_categories_judge_each_name_in_every_picture(self, dataset, world):
        data = dataset(category_share=1.0)
        seen = load_entities(world, "train").seen_categories()
        assert 1 < len(seen) < len(load_entities(world, "train").categories)
        for at in range(3):
            sample = data[at]["samples"]
            classes = data.grounded.narratives[at][1].category_ids
            meant = [[owner == each.category_id for owner in classes] for each in seen]
            assert sample.targets.tolist() == meant and sample.grounded.all()
            answer = data.tokenizer.decode([i for i in sample.tokens.labels if i != IGNORED])
            assert prompts.read_answer(answer) == [each.name for each in seen]


class TestGround:
    def test_masks_come_back_at_full_size(self, gella):
        answer = gella.eval().ground_photos([request(nouns=("square", "disc"))])[0]
        assert answer.probabilities.shape == (2, 3)
        assert answer.reconstructed.shape == (3, 48, 64)

    def test_more_entities_than_queries(self, gella):
        answer = gella.eval().ground_photos([request(count=30, nouns=("square",))])[0]
        assert answer.probabilities.shape == (1, 30) and len(answer.entityness) == 30

    def test_without_caption_one_is_written(self, gella):
        assert gella.eval().ground_photos([request(caption=None)])[0].caption.strip()

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"caption": "  "}, "is empty"),
            ({"size": (32, 64)}, "masks are 48 x 64"),
            ({"caption": "square " * 999}, "context holds"),
        ],
    )
    def test_bad_requests(self, gella, change, problem):
        with pytest.raises(BadInput, match=problem):
            gella.eval().ground_photos([request(**change)])

    def test_no_entity(self, gella):
        empty = GroundingRequest(np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8, 8), bool), "A dog.")
        with pytest.raises(BadInput, match="no entity"):
            gella.eval().ground_photos([empty])


def test_masks_of_a_colormap_do_not_depend_on_its_colours():
    labels = np.array([[0, 1], [2, 2]])
    (_, first), (_, second) = (
        colored(labels, 2, "random", np.random.default_rng(s)) for s in (1, 2)
    )
    assert (first == second).all() and first.tolist()[1] == [[False, False], [True, True]]

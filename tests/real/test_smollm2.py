from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

pytestmark = pytest.mark.real

PLAIN = [
    "In 2024, I paid $12.50.",
    "  two  spaces\n\nlines\tand more ",
    "don't we've it's",
    "café naïve 日本語 🙂",
    "<image> and <object>",
]

CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Japan": "Tokyo",
    "Egypt": "Cairo",
    "Russia": "Moscow",
    "England": "London",
}


@pytest.fixture(scope="module")
def tokenizer(smollm2):
    return AutoTokenizer.from_pretrained(smollm2)


@pytest.fixture(scope="module")
def model(smollm2):
    model, loading = AutoModelForCausalLM.from_pretrained(
        smollm2, dtype=torch.float32, output_loading_info=True
    )
    assert not any(loading.values()), loading
    return model.eval()


@torch.inference_mode()
def test_it_knows_six_of_eight_capitals(model, tokenizer):
    known = 0
    for country, capital in CAPITALS.items():
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": f"What is the capital of {country}?"}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        said = model.generate(**prompt, max_new_tokens=12, do_sample=False)[0]
        known += capital in tokenizer.decode(said[prompt["input_ids"].shape[1] :])
    assert known >= 6


@torch.inference_mode()
def test_english_is_likelier_than_its_words_in_disorder(model, tokenizer):
    def loss(text: str) -> float:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        return float(model(ids, labels=ids).loss)

    text = "The old man sat on a bench in the park and fed the birds with bread."
    disorder = "bread birds The a with sat in fed the on and the old bench park man."
    assert loss(text) < 4
    assert loss(disorder) > loss(text) + 2


@pytest.mark.parametrize("text", PLAIN)
def test_text_comes_back_from_its_tokens(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text

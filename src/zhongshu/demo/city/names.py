"""Invented names of the demonstration city: places, streets, firms and people. Nobody and nowhere real is meant."""

# ruff: noqa: SIM905   word lists are easier to read and to change as text
from __future__ import annotations

import numpy as np

__all__ = ["CITY", "COUNTIES", "RIVER", "NamePool", "make_person"]

CITY = ("汀澜市", "Tinglan City")
RIVER = ("汀水", "Ting River")
COUNTIES = (
    ("02", "汀北区", "Tingbei District", "district"),
    ("03", "汀南区", "Tingnan District", "district"),
    ("04", "云岫区", "Yunxiu District", "district"),
    ("21", "岚谷县", "Langu County", "county"),
    ("22", "霁川县", "Jichuan County", "county"),
    ("81", "栖禾市", "Qihe City", "county city"),
)

_FIRST = (
    "青 qing 澄 cheng 栖 qi 云 yun 松 song 岚 lan 霁 ji 禾 he 棠 tang 桐 tong 芦 lu 樟 zhang 竹 zhu 梅 mei 枫 feng "
    "鹤 he 鹭 lu 雁 yan 星 xing 晴 qing 和 he 安 an 永 yong 新 xin 石 shi 白 bai 丹 dan 碧 bi 银 yin 东 dong 望 wang 锦 jin"
).split()
_SECOND = (
    "溪 xi 泽 ze 塘 tang 坪 ping 岭 ling 湾 wan 洲 zhou 浦 pu 原 yuan 谷 gu 坡 po 埠 bu 桥 qiao 亭 ting 庄 zhuang 圩 wei "
    "田 tian 林 lin 泉 quan 山 shan 冈 gang 源 yuan 汀 ting 墩 dun 畈 fan 渡 du"
).split()
_SURNAMES = (
    "王 Wang 李 Li 张 Zhang 刘 Liu 陈 Chen 杨 Yang 黄 Huang 赵 Zhao 吴 Wu 周 Zhou 徐 Xu 孙 Sun 马 Ma 朱 Zhu 胡 Hu 郭 Guo "
    "何 He 林 Lin 罗 Luo 高 Gao 郑 Zheng 梁 Liang 谢 Xie 宋 Song 唐 Tang 许 Xu 韩 Han 邓 Deng 冯 Feng 曹 Cao"
).split()
_GIVEN = (
    "一 yi 禾 he 予 yu 安 an 知 zhi 行 xing 清 qing 越 yue 书 shu 言 yan 景 jing 明 ming 若 ruo 川 chuan 思 si 远 yuan "
    "文 wen 舟 zhou 南 nan 乔 qiao 嘉 jia 宁 ning 子 zi 墨 mo 星 xing 河 he 望 wang 舒 shu 北 bei 辰 chen"
).split()


def _pairs(words: list[str]) -> list[tuple[str, str]]:
    return list(zip(words[::2], words[1::2], strict=True))


class NamePool:
    """Two-syllable place names, each given once, in an order set by the seed."""

    def __init__(self, rng: np.random.Generator) -> None:
        first, second = _pairs(_FIRST), _pairs(_SECOND)
        names = [(a[0] + b[0], (a[1] + b[1]).capitalize()) for a in first for b in second]
        order = rng.permutation(len(names))
        self._names = [names[i] for i in order]
        self._next = 0

    def take(self) -> tuple[str, str]:
        """The next name (Chinese, Latin letters); after all are used they come again with a number."""
        round_, at = divmod(self._next, len(self._names))
        self._next += 1
        zh, en = self._names[at]
        return (zh, en) if not round_ else (f"{zh}{'一二三四五六七八九'[min(round_, 9) - 1]}", f"{en} {round_ + 1}")


def make_person(rng: np.random.Generator) -> tuple[str, str]:
    """An invented person's name (Chinese, Latin letters)."""
    surname = _pairs(_SURNAMES)[rng.integers(len(_SURNAMES) // 2)]
    given = [_pairs(_GIVEN)[i] for i in rng.choice(len(_GIVEN) // 2, int(rng.integers(1, 3)), replace=False)]
    return surname[0] + "".join(g[0] for g in given), f"{surname[1]} {''.join(g[1] for g in given).capitalize()}"

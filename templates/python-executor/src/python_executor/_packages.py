"""The name of a module → the package that has it, where the two differ."""

from __future__ import annotations

__all__ = ["package_of"]

_PACKAGES = {
    "attr": "attrs",
    "Bio": "biopython",
    "bs4": "beautifulsoup4",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "discord": "discord.py",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "gitpython",
    "github": "pygithub",
    "google.protobuf": "protobuf",
    "googleapiclient": "google-api-python-client",
    "IPython": "ipython",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "mpl_toolkits": "matplotlib",
    "MySQLdb": "mysqlclient",
    "nacl": "pynacl",
    "OpenSSL": "pyopenssl",
    "osgeo": "gdal",
    "pdfminer": "pdfminer.six",
    "PIL": "pillow",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "pywt": "PyWavelets",
    "ruamel": "ruamel.yaml",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "speech_recognition": "SpeechRecognition",
    "telegram": "python-telegram-bot",
    "umap": "umap-learn",
    "usb": "pyusb",
    "websocket": "websocket-client",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}


def package_of(module: str) -> str:
    """The name by which an installer knows it; the module's own where nothing else is known."""
    top = module.partition(".")[0]
    if top == "google" and ".".join(module.split(".")[:2]) not in _PACKAGES:  # a name that many packages share
        return "-".join(module.split(".")[: 3 if ".cloud." in module else 2])
    return _PACKAGES.get(".".join(module.split(".")[:2])) or _PACKAGES.get(top) or top.replace("_", "-")

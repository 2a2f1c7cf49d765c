// python.exe for the library of CPython in the kit; with -DGUI pythonw.exe.
#include <windows.h>
#include <stdlib.h>

typedef int (*py_main)(int, wchar_t **);

static int run(int count, wchar_t **words) {
    HMODULE library = LoadLibraryW(L"python311.dll");
    if (!library) return 97;
    py_main entry = (py_main)(void *)GetProcAddress(library, "Py_Main");
    return entry ? entry(count, words) : 98;
}

#ifdef GUI
int WINAPI wWinMain(HINSTANCE instance, HINSTANCE before, LPWSTR line, int show) { return run(__argc, __wargv); }
#else
int wmain(int count, wchar_t **words) { return run(count, words); }
#endif
